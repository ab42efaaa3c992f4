"""The safety envelope: the only maker of grants, and the account of every limit that may be in force.

**The invariant.** For every node n of the site (each phase in A, and power in kW at the highest voltage) and at every
moment t::

    sum over connectors c below n of W_c(t)  +  B_n(t)  <=  L_n(t) - margin

    W_c(t) = min(H_c, max(F_c, every limit that may be in force at c))

H is what the hardware can draw, F what the charger keeps by itself, B a bound on everything that is no charger, L the
limit. A connector whose F was never read back, or that was caught disobeying, counts at F = H. Connectors of one
charger share its supply, so together they never count at more than that.

W never rises without a grant, and no grant is made that breaks the invariant. So it can only break from outside: a
limit drops, the base load rises, a charger turns out to lie. Then nothing that loads the exceeded rows may rise, and
limits are cut, last in the order of the wishes first, until the invariant holds again. That takes T_safe
(`EnvelopeParameters.window_s`) at most, even when no charger answers.

**What it rests on.** A vehicle draws no more than the highest limit in force at its charger during the last `ramp_s`; a
charger ends a lease within `skew_s` of its time; a message is acted on once, and not later than one lease after it was
sent. Under these, real currents keep every limit that the invariant keeps.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import assert_never

from twin_core.models.charger import ChargerSpec, ConnectorStatus
from twin_core.models.events import (
    ChargerAdopted,
    ChargerBooted,
    ChargerCommissioned,
    ChargerConnected,
    ChargerLearned,
    ConnectorMetered,
    ConnectorStatusReported,
    Event,
    FallbackConfirmed,
    FallbackRefused,
    GatewayRestarted,
    GrantAnswered,
    GrantSent,
    LimitChanged,
    TransactionStarted,
    TransactionStopped,
    VehicleExpected,
)
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.quantities import Instant, PhaseCurrents
from twin_core.models.site import SiteTree
from twin_core.safety.decision import Allotment, Decision, NodeMargin, Wish
from twin_core.safety.exposure import Exposure
from twin_core.safety.parameters import EnvelopeParameters
from twin_core.safety.rationing import Ration
from twin_core.safety.rows import SiteRows

__all__ = ["Allotment", "Decision", "Envelope", "EnvelopeParameters", "NodeMargin", "Wish"]

logger = logging.getLogger(__name__)


PLUGGED = frozenset(
    {
        ConnectorStatus.PREPARING,
        ConnectorStatus.CHARGING,
        ConnectorStatus.SUSPENDED_EV,
        ConnectorStatus.SUSPENDED_EVSE,
    }
)
"""With a vehicle that draws or may begin to."""

DRAWING_A = 1.0

ConnectorFact = (
    FallbackConfirmed | FallbackRefused | GrantSent | GrantAnswered | TransactionStarted | TransactionStopped
)


class Envelope:
    """Turns wishes into grants that keep every limit, whatever becomes of the messages."""

    def __init__(self, site: SiteTree, parameters: EnvelopeParameters | None = None) -> None:
        self.parameters = parameters or EnvelopeParameters()
        self._site = site
        self._exposures: dict[ConnectorId, Exposure] = {}
        self._by_charger: dict[ChargerId, list[Exposure]] = {}
        self._rows: SiteRows | None = None
        self._in_order: list[Exposure] = []
        self._nothing_rises_until_s = -math.inf
        self._shedding = False
        self._unbearable: frozenset[ChargerId] = frozenset()
        for charger in site.chargers:
            self._open_accounts(charger)

    # Facts.

    def observe(self, event: Event) -> None:
        """Take in a fact. A lost link changes nothing here; what says nothing about limits is passed over."""
        match event:
            case FallbackConfirmed() | FallbackRefused() | GrantSent() | GrantAnswered():
                self._tell(event)
            case TransactionStarted() | TransactionStopped():
                self._tell(event)
            case ChargerCommissioned() | ChargerLearned():
                self._note_charger(event)
            case ConnectorStatusReported() | ConnectorMetered():
                self._note_vehicle(event)
            case VehicleExpected():
                for exposure in self._by_charger.get(event.charger_id, ()):
                    exposure.vehicle_expected(event.at.monotonic_s)
            case ChargerConnected() | ChargerBooted():
                self._refresh(event.charger_id)
            case ChargerAdopted():
                self._adopt(event.charger)
            case LimitChanged():
                self._site = self._site.with_limit(event.node_id, event.limit_a, event.limit_kw)
                self._rows = None
            case GatewayRestarted():
                self._restore(event)
            case _:
                pass

    def _tell(self, event: ConnectorFact) -> None:
        exposure = self._exposures.get(event.connector_id)
        if exposure is None:
            return
        now_s = event.at.monotonic_s
        match event:
            case GrantAnswered():
                exposure.answered(event.seq, event.outcome, now_s)
            case GrantSent():
                exposure.sent(event.seq)
            case FallbackConfirmed():
                exposure.fallback_confirmed(event.fallback_a, now_s)
            case FallbackRefused():
                exposure.fallback_refused()
            case TransactionStarted():
                exposure.transaction_started(event.transaction_id)
            case TransactionStopped():
                exposure.transaction_stopped(event.transaction_id, now_s)
            case _:
                assert_never(event)

    def _refresh(self, charger_id: ChargerId) -> None:
        for exposure in self._by_charger.get(charger_id, ()):
            exposure.refresh()

    def _note_charger(self, event: ChargerCommissioned | ChargerLearned) -> None:
        for exposure in self._by_charger.get(event.charger_id, ()):
            match event:
                case ChargerCommissioned():
                    exposure.commissioned(event.abilities)
                case ChargerLearned():
                    exposure.proven = event.learned is not None and event.learned.proven

    def _note_vehicle(self, event: ConnectorStatusReported | ConnectorMetered) -> None:
        exposure = self._exposures.get(event.connector_id)
        if exposure is None:
            return
        match event:
            case ConnectorStatusReported():
                exposure.plugged = event.status in PLUGGED
            case ConnectorMetered():
                exposure.plugged = exposure.plugged or (event.reading.peak_current_a or 0.0) > DRAWING_A

    def _adopt(self, charger: ChargerSpec) -> None:
        """A charger more; until its fallback is read back it counts at all it can draw."""
        if NodeId(charger.id) in self._site.node_by_id:
            logger.warning("adoption refused", extra={"charger": charger.id, "cause": "a node of that name exists"})
            return
        self._site = self._site.with_charger(charger)
        self._rows = None
        self._open_accounts(charger)

    def _open_accounts(self, charger: ChargerSpec) -> None:
        accounts = [Exposure(connector, self.parameters) for connector in charger.connectors]
        self._by_charger[charger.id] = accounts
        self._exposures.update((exposure.spec.id, exposure) for exposure in accounts)

    def _restore(self, event: GatewayRestarted) -> None:
        """Go on after a restart. What was on its way down then gets the time to arrive before anything rises."""
        grants: dict[ConnectorId, list[Grant]] = {}
        for grant in event.grants:
            grants.setdefault(grant.connector_id, []).append(grant)
        for connector_id, exposure in self._exposures.items():
            confirmed_a = event.confirmed_fallbacks.get(connector_id)
            exposure.restore(grants.get(connector_id, ()), confirmed_a, event.at)
        self._nothing_rises_until_s = event.at.monotonic_s + self.parameters.release_s

    # Decisions.

    def decide(self, wishes: Sequence[Wish], base_loads: Mapping[NodeId, PhaseCurrents], now: Instant) -> Decision:
        """Make the grants that come closest to the wishes.

        Args:
            wishes: ordered by priority: where not everything fits, the last give way first. A connector without one
                keeps what it was granted until its lease ends.
            base_loads: bound on the current through each node that is no charger's, everything below it included;
                a node that is missing has none.
            now: the moment the grants count from.
        """
        now_s = now.monotonic_s
        rows, exposures = self._numbered()
        for exposure in exposures:
            exposure.expire(now_s)
        ration = Ration(rows, exposures, base_loads, now_s)
        ration.take(wishes)
        ration.freeze(everywhere=now_s < self._nothing_rises_until_s)
        ration.settle()
        ration.release()
        grants = self._issue(ration, exposures, now)
        self._note_shedding(ration)
        self._unbearable = frozenset(rows.chargers[position].id for position in ration.unbearable())
        return Decision(
            grants=grants,
            allotments=self._allotments(ration, exposures),
            margins=ration.margins(),
            shedding=bool(ration.overloaded),
        )

    def _issue(self, ration: Ration, exposures: Sequence[Exposure], now: Instant) -> tuple[Grant, ...]:
        """Make the grants worth a message, decreases first."""
        decreases: list[Grant] = []
        others: list[Grant] = []
        for index in ration.order:
            exposure, limit_a = exposures[index], ration.share.limit_a[index]
            if exposure.should_ask(limit_a, now.monotonic_s, pressing=index in ration.pressed):
                lowers = limit_a < exposure.standing_a
                (decreases if lowers else others).append(exposure.issue(limit_a, now))
                ration.worst_a[index] = exposure.worst_a(now.monotonic_s)
        return (*decreases, *others)

    def _allotments(self, ration: Ration, exposures: Sequence[Exposure]) -> dict[ConnectorId, Allotment]:
        bound_by = ration.share.bound_by
        allotments: dict[ConnectorId, Allotment] = {}
        for index, exposure in enumerate(exposures):
            standing = exposure.standing
            allotments[exposure.spec.id] = Allotment(
                ration.wish_a[index],
                exposure.fallback_a if standing is None else standing.grant.limit_a,
                ration.worst_a[index],
                bound_by.get(index, ""),
                None if standing is None else standing.grant.seq,
            )
        return allotments

    def _note_shedding(self, ration: Ration) -> None:
        shedding = bool(ration.overloaded)
        if shedding != self._shedding:
            self._shedding = shedding
            rows = [ration.row_name(row) for row in sorted(ration.overloaded)]
            logger.info("shedding begins" if shedding else "shedding ends", extra={"rows": rows})

    def _numbered(self) -> tuple[SiteRows, list[Exposure]]:
        """The site in numbers, and the accounts in the same order; made anew when the site has changed."""
        if self._rows is None:
            self._rows = SiteRows(self._site, self.parameters)
            self._in_order = [self._exposures[connector_id] for connector_id in self._rows.connector_ids]
        return self._rows, self._in_order

    # Questions.

    def worst_a(self, connector_id: ConnectorId, now: Instant) -> float:
        """W: current per phase a connector counts at.

        Raises:
            KeyError: the site has no such connector.
        """
        return self._exposures[connector_id].worst_a(now.monotonic_s)

    def permitted_a(self, connector_id: ConnectorId, now: Instant) -> float:
        """The highest limit that may rightly be in force at a connector: the higher of fallback and live grants.

        Raises:
            KeyError: the site has no such connector.
        """
        return self._exposures[connector_id].permitted_a(now.monotonic_s)

    def limit_of(self, connector_id: ConnectorId, seq: int) -> float | None:
        """Limit of a grant that may still be in force."""
        exposure = self._exposures.get(connector_id)
        held = None if exposure is None else exposure.find(seq)
        return None if held is None else held.grant.limit_a

    def live_grants(self) -> tuple[Grant, ...]:
        """Every grant that may be in force, as of the last decision."""
        return tuple(grant for exposure in self._exposures.values() for grant in exposure.live_grants())

    # Trust.

    def distrust(self, connector_id: ConnectorId, reason: str) -> None:
        """Count a connector at all it can draw, because it does not keep its limits."""
        self._exposures[connector_id].distrust(reason)

    def trust(self, connector_id: ConnectorId) -> None:
        """Count a connector at its limits again."""
        self._exposures[connector_id].trust()

    def is_trusted(self, connector_id: ConnectorId) -> bool:
        """Whether a connector is believed to keep its limits; True too where its fallback was never read back."""
        return not self._exposures[connector_id].distrusted

    def bears(self, charger_id: ChargerId) -> bool:
        """Whether the site had room, at the last decision, for all that an unproven charger can draw."""
        return charger_id not in self._unbearable

    def is_proven(self, connector_id: ConnectorId) -> bool:
        """Whether a connector's charger was seen to come down to a limit, or nobody said that it was not."""
        return self._exposures[connector_id].proven

    def knows(self, connector_id: ConnectorId) -> bool:
        """Whether the site has such a connector."""
        return connector_id in self._exposures

    def n_phases(self, connector_id: ConnectorId) -> int:
        """Phases a connector is wired to.

        Raises:
            KeyError: the site has no such connector.
        """
        return len(self._exposures[connector_id].spec.phases)
