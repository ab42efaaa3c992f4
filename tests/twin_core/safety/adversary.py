"""A depot that does its worst: chargers, links and clocks that use every freedom the envelope's assumptions leave them.

It knows nothing of how the envelope counts. Its verdict is physical: the highest limit that was in force at each
charger during the last ramp is what the vehicles draw, and that must fit every node on every phase.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from tests.fakes import instant
from tests.twin_core.safety.world import (
    FEEDER,
    GRID,
    HARDWARE_A,
    KW_PER_A,
    PARAMETERS,
    SLACK,
    Frame,
    Link,
    Setting,
    TrueConnector,
    build_site,
)
from twin_core.models.charger import ChargerAbilities, ChargerIdentity, ChargerSpec, ConnectorSpec, ProfilePurpose
from twin_core.models.events import (
    ChargerAdopted,
    ChargerBooted,
    ChargerCommissioned,
    ChargerConnected,
    ChargerDisconnected,
    FallbackConfirmed,
    GatewayRestarted,
    GrantAnswered,
    GrantSent,
    LimitChanged,
    TransactionStarted,
    TransactionStopped,
)
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import Instant
from twin_core.safety.envelope import Decision, Envelope, Wish


class Depot:
    """Envelope, links and true chargers, moved by an adversary."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.now_s = 0.0
        self.site = build_site(setting)
        self.envelope = Envelope(self.site, setting.parameters)
        self.decision: Decision | None = None
        self.true: dict[ConnectorId, TrueConnector] = {}
        self.links: dict[ConnectorId, Link] = {}
        self.confirmed: dict[ConnectorId, float] = {}
        self.moments: list[float] = []
        self.base_a = 0.0
        self.rooms: list[tuple[float, float, float, float]] = []
        self._transactions = self._gateway = 0
        for spec, skew_s in zip(self.site.connector_by_id.values(), setting.skews_s, strict=True):
            self._install(spec, skew_s)
        self._commission(self.site.chargers)
        self._note_room()
        self.settle()

    @property
    def now(self) -> Instant:
        return instant(self.now_s)

    @property
    def ids(self) -> list[ConnectorId]:
        return list(self.true)

    def _install(self, spec: ConnectorSpec, skew_s: float) -> None:
        unsure = self.setting.unconfirmed and spec.id.charger == "turned"
        wiring = spec.phases if spec.rotation_known else (self.setting.unknown_wiring,)
        leaseless = self.setting.leaseless and spec.id.charger == "duo"
        silent_a = HARDWARE_A if unsure else spec.fallback_a
        connector = TrueConnector(spec, wiring, skew_s, leaseless, silent_a, in_force_a=silent_a)
        self.true[spec.id], self.links[spec.id] = connector, Link()
        if not unsure:
            self.confirm(spec.id)

    def _commission(self, chargers: Iterable[ChargerSpec]) -> None:
        tied = (ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT)
        purposes = tied if self.setting.tied_to_transactions else tied[1:]
        for charger in chargers:
            leases = not (self.setting.leaseless and charger.id == "duo")
            abilities = ChargerAbilities(purposes=purposes, leases=leases)
            self.envelope.observe(ChargerCommissioned(at=self.now, charger_id=charger.id, abilities=abilities))

    # The gateway's side.

    def decide(self, wishes: dict[ConnectorId, float]) -> tuple[Grant, ...]:
        """A control step; its grants wait in the mailboxes."""
        base = {GRID: (self.base_a,) * 3}
        asked = [Wish(connector_id, limit_a) for connector_id, limit_a in wishes.items()]
        decision = self.decision = self.envelope.decide(asked, base, self.now)
        for grant in decision.grants:
            link = self.links[grant.connector_id]
            if link.waiting is not None:
                self._answered(grant.connector_id, link.waiting.seq, GrantOutcome.UNSENT)
            link.waiting = grant
            self._remember(grant.lease_s, *(s * self.setting.parameters.skew_s for s in (-1, 0, 1)))
        return decision.grants

    def send(self, connector_id: ConnectorId) -> None:
        """The waiting grant goes onto the wire, if the last call is over."""
        link, charger = self.links[connector_id], self.true[connector_id]
        if link.waiting is None or link.outstanding is not None:
            return
        grant, link.waiting = link.waiting, None
        link.outstanding = grant.seq
        ends_s = grant.issued.monotonic_s + grant.lease_s
        transaction = charger.transaction if self.setting.tied_to_transactions else None
        link.frames.append(Frame(self._gateway, grant.seq, grant.limit_a, ends_s, transaction))
        self.envelope.observe(GrantSent(at=self.now, connector_id=connector_id, seq=grant.seq))

    def _answered(self, connector_id: ConnectorId, seq: int, outcome: GrantOutcome) -> None:
        self.envelope.observe(GrantAnswered(at=self.now, connector_id=connector_id, seq=seq, outcome=outcome))
        self._remember(0.0)

    def healthy_round(self, wishes: dict[ConnectorId, float], alive: Iterable[ConnectorId]) -> None:
        """A control step that reaches the chargers which are alive at once, and the others not at all."""
        self.decide(wishes)
        for connector_id in alive:
            self.time_out(connector_id)
            self.send(connector_id)
            self.deliver(connector_id, -1)
            self.hear(connector_id, -1)

    def time_out(self, connector_id: ConnectorId, outcome: GrantOutcome = GrantOutcome.TIMED_OUT) -> None:
        """The gateway gives up on the call; the message may arrive all the same."""
        link = self.links[connector_id]
        if link.outstanding is not None:
            seq, link.outstanding = link.outstanding, None
            self._answered(connector_id, seq, outcome)

    def restart(self) -> None:
        """Kill the gateway and start it from what was durable. What was on the wire may still arrive."""
        grants = self.envelope.live_grants()
        self._gateway += 1
        self.envelope = Envelope(self.site, self.setting.parameters)
        confirmed = dict(self.confirmed)
        self.envelope.observe(GatewayRestarted(at=self.now, grants=grants, confirmed_fallbacks=confirmed))
        self._commission(self.site.chargers)
        for connector_id, link in self.links.items():
            link.waiting, link.outstanding, link.answers = None, None, []
            connector = self.true[connector_id]
            if connector.transaction is not None:
                self._announce_start(connector_id, connector.transaction)
            if connector.lies:
                self.envelope.distrust(connector_id, "test")

    # The wire and the chargers.

    def deliver(self, connector_id: ConnectorId, which: int, *, again: bool = False, garbled: bool = False) -> None:
        """Any message on the wire arrives, perhaps not for the last time, and is answered, perhaps with nonsense."""
        link = self.links[connector_id]
        if not link.frames:
            return
        index = which % len(link.frames)
        frame = link.frames[index] if again else link.frames.pop(index)
        taken = self.true[connector_id].receive(frame)
        self._note()
        outcome = GrantOutcome.ACCEPTED if taken else GrantOutcome.REJECTED
        if frame.gateway == self._gateway:
            link.answers.append((frame.seq, GrantOutcome.FAILED if garbled else outcome))

    def hear(self, connector_id: ConnectorId, which: int) -> None:
        """Any answer on the wire arrives, in time or late."""
        link = self.links[connector_id]
        if link.answers:
            seq, outcome = link.answers.pop(which % len(link.answers))
            link.outstanding = None if link.outstanding == seq else link.outstanding
            self._answered(connector_id, seq, outcome)

    def lose(self, connector_id: ConnectorId) -> None:
        """Everything on the wire is lost."""
        self.links[connector_id].frames.clear()
        self.links[connector_id].answers.clear()

    def disconnect(self, connector_id: ConnectorId) -> None:
        """The link breaks and comes back."""
        link = self.links[connector_id]
        self.envelope.observe(ChargerDisconnected(at=self.now, charger_id=connector_id.charger))
        self.time_out(connector_id, GrantOutcome.OFFLINE)
        if link.waiting is not None:
            seq, link.waiting = link.waiting.seq, None
            self._answered(connector_id, seq, GrantOutcome.UNSENT)
        self.envelope.observe(ChargerConnected(at=self.now, charger_id=connector_id.charger))

    def reboot(self, connector_id: ConnectorId, *, forgets: bool) -> None:
        """The charger starts anew, with or without its profiles."""
        for other in self.true.values():
            if other.spec.id.charger == connector_id.charger and forgets:
                other.default = other.by_transaction = None
        self._note()
        identity = ChargerIdentity()
        self.envelope.observe(ChargerBooted(at=self.now, charger_id=connector_id.charger, identity=identity))

    def plug(self, connector_id: ConnectorId) -> None:
        """A transaction starts, or the running one stops."""
        connector = self.true[connector_id]
        if connector.transaction is None:
            self._transactions += 1
            connector.transaction = TransactionId(self._transactions)
            self._announce_start(connector_id, connector.transaction)
            return
        stopped, connector.transaction, connector.by_transaction = connector.transaction, None, None
        self._note()
        self._remember(0.0)
        event = TransactionStopped(
            at=self.now,
            connector_id=connector_id,
            transaction_id=stopped,
            meter_stop_kwh=None,
            stopped_at=self.now.utc,
        )
        self.envelope.observe(event)

    def _announce_start(self, connector_id: ConnectorId, transaction: TransactionId) -> None:
        event = TransactionStarted(
            at=self.now,
            connector_id=connector_id,
            transaction_id=transaction,
            id_tag=IdTag("tag"),
            meter_start_kwh=0.0,
            started_at=self.now.utc,
        )
        self.envelope.observe(event)

    def confirm(self, connector_id: ConnectorId) -> None:
        """The charger takes its fallback and reads it back."""
        connector = self.true[connector_id]
        connector.silent_a = connector.spec.fallback_a
        self._note()
        self.confirmed[connector_id] = connector.silent_a
        event = FallbackConfirmed(at=self.now, connector_id=connector_id, fallback_a=connector.silent_a)
        self.envelope.observe(event)
        self._remember(0.0)

    # Shocks from outside; the envelope has T_safe to deal with each.

    def change_room(self, grid_a: float, feeder_a: float, base_a: float) -> None:
        """Other limits and another base load, never so low that silence alone would break them."""
        if self.setting.leaseless:
            return  # what never ends by itself cannot be promised to end in time
        silent_a = sum(max(c.silent_a, HARDWARE_A * c.lies) for c in self.true.values())
        self.base_a = base_a
        for node_id, limit_a in ((GRID, max(grid_a, silent_a + base_a)), (FEEDER, max(feeder_a, silent_a))):
            limit_kw = self.site.node_by_id[node_id].limit_kw
            if limit_kw is not None:
                limit_kw = max(limit_kw, 3 * KW_PER_A * (silent_a + base_a))
            self.site = self.site.with_limit(node_id, limit_a, limit_kw)
            event = LimitChanged(at=self.now, node_id=node_id, limit_a=limit_a, limit_kw=limit_kw)
            self.envelope.observe(event)
        self._note_room()

    def adopt(self) -> None:
        """A stranger connects, and draws all it can until it is told otherwise."""
        name = ChargerId("stranger")
        if name in self.site.charger_by_id or self.setting.leaseless:
            return
        spec = ConnectorSpec(ConnectorId(name, 1), HARDWARE_A, self.setting.fallback_a)
        charger = ChargerSpec(name, (spec,), adopted=True)
        self.site = self.site.with_charger(charger)
        self.true[spec.id] = TrueConnector(spec, spec.phases, 0.0, False, HARDWARE_A, in_force_a=HARDWARE_A)
        self.links[spec.id] = Link()
        self.envelope.observe(ChargerAdopted(at=self.now, charger=charger))
        self._commission([charger])
        self._shock()

    def lie(self, connector_id: ConnectorId) -> None:
        """A charger stops keeping its limits, and is found out; or keeps them again, and is believed a ramp later."""
        connector = self.true[connector_id]
        if self.setting.leaseless:
            return
        connector.lies, connector.has_lied = not connector.lies, True
        self._note()
        if connector.lies:
            self.envelope.distrust(connector_id, "test")
            self._shock()
        else:
            self.advance(PARAMETERS.release_s)
            self.envelope.trust(connector_id)

    def _shock(self) -> None:
        """One connector more draws all it can: until T_safe is over, that much more is nobody's fault."""
        grid_a, feeder_a, kw = self._rooms()
        self.rooms.append((self.now_s, grid_a + HARDWARE_A, feeder_a + HARDWARE_A, kw + 3 * KW_PER_A * HARDWARE_A))
        self.change_room(*self._limits(), self.base_a)

    def _limits(self) -> tuple[float, float]:
        grid, feeder = self.site.node_by_id[GRID], self.site.node_by_id[FEEDER]
        return grid.limit_a or math.inf, feeder.limit_a or math.inf

    # Time and the verdict.

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping wherever draws may rise (a charger's lease ends) or room may shrink."""
        target_s = self.now_s + seconds
        expiries = {moment for connector in self.true.values() for moment in connector.expiries()}
        deadlines = {at_s + PARAMETERS.window_s + SLACK for at_s, *_ in self.rooms}
        for moment in sorted(moment for moment in expiries | deadlines if self.now_s < moment < target_s):
            self.now_s = moment
            self.settle()
        self.now_s = target_s
        self.settle()

    def jump(self, which: int, offset_s: float) -> None:
        """To just before, at, or just after one of the next moments at which room may come free."""
        p = PARAMETERS
        lags = (0.0, p.ramp_s, p.ramp_s + p.guard_s)
        ahead = sorted({m + lag for m in self.moments for lag in lags if m + lag > self.now_s + 1e-9})
        if ahead:
            self.advance(max(0.25, ahead[which % len(ahead)] - self.now_s + offset_s))
        self.moments = [moment for moment in self.moments if moment > self.now_s - 20.0]

    def settle(self) -> None:
        """Bring the vehicles up to now, and judge."""
        self._note()
        self.check()

    def check(self) -> None:
        """Real draws keep every limit, on every phase, at the highest voltage."""
        grid_room, feeder_room, kw_room = self._rooms()
        grid, feeder = [0.0] * 3, [0.0] * 3
        for charger in self.site.chargers:
            total = [0.0] * 3
            for spec in charger.connectors:
                connector = self.true[spec.id]
                for phase in connector.wiring:
                    total[phase] += connector.draw_a()
            if not any(self.true[spec.id].has_lied for spec in charger.connectors):
                assert max(total) <= charger.supply_max_a + SLACK, f"{max(total):.1f} A on the supply of {charger.id}"
            for phase in range(3):
                total[phase] = min(total[phase], charger.supply_max_a)
                grid[phase] += total[phase]
                feeder[phase] += total[phase] if charger.id in ("turned", "single") else 0.0
        assert max(grid) <= grid_room + SLACK, f"{max(grid):.1f} A on the grid, {grid_room:.1f} A allowed"
        assert max(feeder) <= feeder_room + SLACK, f"{max(feeder):.1f} A on the feeder, {feeder_room:.1f} A allowed"
        total_kw = sum(grid) * KW_PER_A
        assert total_kw <= kw_room + SLACK, f"{total_kw:.2f} kW at the grid, {kw_room:.2f} kW allowed"

    def _note(self) -> None:
        for connector in self.true.values():
            connector.note(self.now_s, PARAMETERS.ramp_s)

    def _note_room(self) -> None:
        grid_a, feeder_a = self._limits()
        grid_kw = self.site.node_by_id[GRID].limit_kw
        kw = math.inf if grid_kw is None else grid_kw - 3 * KW_PER_A * self.base_a
        self.rooms.append((self.now_s, grid_a - self.base_a, feeder_a, kw))

    def _rooms(self) -> tuple[float, float, float]:
        """The widest room of the last T_safe: that is how long the envelope may take to follow a shock."""
        since_s = self.now_s - PARAMETERS.window_s
        ended = [i for i, (at_s, *_) in enumerate(self.rooms) if at_s <= since_s]
        self.rooms = self.rooms[ended[-1] if ended else 0 :]
        return (
            max(room[1] for room in self.rooms),
            max(room[2] for room in self.rooms),
            max(room[3] for room in self.rooms),
        )

    def _remember(self, *delays_s: float) -> None:
        self.moments.extend(self.now_s + delay_s for delay_s in delays_s if math.isfinite(delay_s))
