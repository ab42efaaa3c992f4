"""The true side of the adversary's depot: its site, its chargers as they really are, and the links to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId, ConnectorId, NodeId, TransactionId
from twin_core.models.quantities import Phase
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.safety.envelope import EnvelopeParameters

PARAMETERS = EnvelopeParameters(lease_s=60.0, ramp_s=5.0, skew_s=2.0, guard_s=1.0)
KW_PER_A = 0.253
HARDWARE_A = 32.0
SLACK = 1e-3
AMPLE = 10_000.0

GRID, FEEDER = NodeId("grid"), NodeId("feeder")
L1, L2, L3 = Phase.L1, Phase.L2, Phase.L3


@dataclass(frozen=True)
class Setting:
    """What one run starts from."""

    grid_a: float = 60.0
    grid_kw: float | None = None
    feeder_a: float = 40.0
    fallback_a: float = 0.0
    skews_s: Sequence[float] = (0.0,) * 5
    unknown_wiring: Phase = L1
    tied_to_transactions: bool = False
    leaseless: bool = False
    unconfirmed: bool = False
    parameters: EnvelopeParameters = PARAMETERS


def connectors(setting: Setting) -> dict[ChargerId, tuple[ConnectorSpec, ...]]:
    """Three phases turned round, one phase, an unknown one, and a charger with two outlets."""

    def spec(charger: str, number: int, phases: tuple[Phase, ...], *, known: bool = True) -> ConnectorSpec:
        connector_id = ConnectorId(ChargerId(charger), number)
        return ConnectorSpec(connector_id, HARDWARE_A, setting.fallback_a, phases=phases, rotation_known=known)

    return {
        ChargerId("turned"): (spec("turned", 1, (L2, L3, L1)),),
        ChargerId("single"): (spec("single", 1, (L2,)),),
        ChargerId("unknown"): (spec("unknown", 1, (L1,), known=False),),
        ChargerId("duo"): (spec("duo", 1, (L1, L2, L3)), spec("duo", 2, (L3,))),
    }


def build_site(setting: Setting) -> SiteTree:
    """Two chargers on a feeder, two at the grid connection; limits that silence alone keeps."""
    chargers = tuple(ChargerSpec(name, specs) for name, specs in connectors(setting).items())
    silent_a = 5 * setting.fallback_a + (HARDWARE_A if setting.unconfirmed else 0.0)
    grid_kw = None if setting.grid_kw is None else max(setting.grid_kw, 3 * KW_PER_A * silent_a)
    grid = Node(GRID, NodeKind.GRID, limit_a=AMPLE, limit_kw=None if grid_kw is None else AMPLE)
    feeder = Node(FEEDER, NodeKind.FEEDER, GRID, limit_a=AMPLE)
    parents = {"turned": FEEDER, "single": FEEDER, "unknown": GRID, "duo": GRID}
    nodes = (Node(NodeId(c.id), NodeKind.CHARGER, parents[c.id], limit_a=HARDWARE_A) for c in chargers)
    site = SiteTree("adversary", (grid, feeder, *nodes), chargers)
    # Imposed, so that a shock may also raise them.
    site = site.with_limit(GRID, max(setting.grid_a, silent_a), grid_kw)
    return site.with_limit(FEEDER, max(setting.feeder_a, silent_a), None)


@dataclass(frozen=True)
class Frame:
    """A SetChargingProfile on its way; `transaction` None makes it a TxDefaultProfile."""

    gateway: int
    seq: int
    limit_a: float
    ends_s: float
    transaction: TransactionId | None


@dataclass
class TrueConnector:
    """A connector as it really is, with the vehicle behind it."""

    spec: ConnectorSpec
    wiring: tuple[Phase, ...]
    skew_s: float
    leaseless: bool
    silent_a: float
    default: Frame | None = None
    by_transaction: Frame | None = None
    transaction: TransactionId | None = None
    lies: bool = False
    has_lied: bool = False
    done: set[tuple[int, int]] = field(default_factory=set)
    in_force_a: float = 0.0
    past: list[tuple[float, float]] = field(default_factory=list)

    def limit_at(self, now_s: float) -> float:
        """The limit in force, by the charger's own clock."""
        if self.lies:
            return self.spec.hardware_max_a
        for profile in (self.by_transaction, self.default):
            if profile is not None and (self.leaseless or now_s < profile.ends_s + self.skew_s):
                return min(profile.limit_a, self.spec.hardware_max_a)
        return self.silent_a

    def expiries(self) -> Iterable[float]:
        """When profiles end by the charger's own clock."""
        return (p.ends_s + self.skew_s for p in (self.by_transaction, self.default) if p is not None)

    def receive(self, frame: Frame) -> bool:
        """Apply a profile; False rejects it. A repeated message is acted on once."""
        if frame.transaction is not None and frame.transaction != self.transaction:
            return False
        if (frame.gateway, frame.seq) not in self.done:
            self.done.add((frame.gateway, frame.seq))
            if frame.transaction is None:
                self.default = frame
            else:
                self.by_transaction = frame
        return True

    def note(self, now_s: float, ramp_s: float) -> None:
        """Remember what was in force until now, for as long as a vehicle may follow it."""
        limit_a = self.limit_at(now_s)
        if limit_a != self.in_force_a:
            self.past.append((now_s, self.in_force_a))
            self.in_force_a = limit_a
        self.past = [(until_s, past_a) for until_s, past_a in self.past if until_s >= now_s - ramp_s]

    def draw_a(self) -> float:
        """The most a vehicle may draw now."""
        return max([self.in_force_a, *(past_a for _, past_a in self.past)])


@dataclass
class Link:
    """The way to one connector: one call at a time, the newest waiting one wins; beyond that, anything goes."""

    waiting: Grant | None = None
    outstanding: int | None = None
    frames: list[Frame] = field(default_factory=list)
    answers: list[tuple[int, GrantOutcome]] = field(default_factory=list)
