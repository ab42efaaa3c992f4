"""Everything the panel shows, as it goes over the wire.

Moments are told as moments (`measured_at`), not as ages: an age changes every second, a moment only when something
happened, and the browser can count for itself. None is "not known", never zero.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from twin_core.models.charger import ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.plan import PlanStatus
from twin_core.models.quantities import PhaseCurrents
from twin_core.models.site import NodeKind


class Shape(BaseModel):
    """A part of the view: immutable, closed, and free of NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ConnectorState(StrEnum):
    """What a connector is doing, in an operator's words."""

    FREE = "free"
    PLUGGED_IN = "plugged in"
    CHARGING = "charging"
    HELD_BACK = "held back"
    PAUSED_BY_CAR = "paused by car"
    FINISHING = "finishing"
    RESERVED = "reserved"
    OUT_OF_SERVICE = "out of service"
    FAULTED = "faulted"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How soon an operator should look."""

    ALARM = "alarm"
    WARNING = "warning"
    NOTICE = "notice"


class SiteView(Shape):
    """The whole site at a glance.

    Attributes:
        power_kw: measured at the grid connection, or base load plus chargers where no fresh meter tells.
        metered: whether `power_kw` was measured.
        base_kw: load that is no charger, as estimated; it is carried forward under the plan ahead.
        limit_kw: the tighter of the grid connection's limits, a current limit counted as balanced power.
        worst_kw: power that may flow if every charger does the worst its grants allow.
        headroom_kw: what is left to hand out; negative while load is being shed.
        worst_node: the node with the least room relative to its limit; empty where nothing is limited.
    """

    name: str
    time: datetime
    price_eur_per_kwh: float
    power_kw: float
    metered: bool
    base_kw: float
    charging_kw: float
    limit_kw: float | None
    limit_a: float | None
    worst_kw: float | None
    headroom_kw: float | None
    worst_node: str
    shedding: bool
    connectors: int
    online: int
    charging: int
    sessions: int


class NodeView(Shape):
    """A point of the installation above the chargers.

    Attributes:
        present_a: current per phase now: metered, or base load plus what the chargers below report.
        metered: whether `present_a` was measured just now.
        base_a: load that is no charger, as bounded for safety.
        base_trusted: False when the configured worst case stands in for a meter.
        worst_a: current per phase that may flow in the worst case, base load included.
    """

    id: str
    kind: NodeKind
    parent: str | None
    limit_a: float | None
    limit_kw: float | None
    present_a: PhaseCurrents
    present_kw: float
    metered: bool
    metered_at: datetime | None
    base_a: PhaseCurrents
    base_trusted: bool
    worst_a: PhaseCurrents | None
    margin_a: float | None
    margin_kw: float | None


class ConnectorView(Shape):
    """One connector.

    Attributes:
        node: what feeds its charger.
        state: what it does, in one word or two.
        limit_a: current per phase granted; None while nothing is granted.
        worst_a: current per phase the envelope counts for it.
        why: what keeps it from more power; empty where there is nothing to explain.
        planned_kw: what the plan gives it now.
        planned_from: when the plan gives it power, if that is still to come.
        counted_until: when it is counted on to leave, where drivers like its own left before they had said.
        stale: a session is in progress and its meter has been silent for too long.
        distrusted: it was caught drawing more than granted and counts at its hardware maximum.
    """

    id: str
    charger: str
    node: str | None
    maker: str
    online: bool
    adopted: bool
    commissioned: bool
    fallback_confirmed: bool
    status: ConnectorStatus | None
    error_code: str
    state: ConnectorState
    hardware_max_a: float
    power_kw: float | None
    current_a: PhaseCurrents | None
    limit_a: float | None
    worst_a: float | None
    why: str
    id_tag: str | None
    started_at: datetime | None
    soc: float | None
    energy_kwh: float | None
    requested_kwh: float | None
    departure: datetime | None
    counted_until: datetime | None
    planned_kw: float | None
    planned_from: datetime | None
    verdict: Verdict | None
    measured_at: datetime | None
    stale: bool
    distrusted: bool


class LimitView(Shape):
    """A limit that the plan fills.

    Attributes:
        bound_h: hours of the plan in which it is full.
        starts: when it is full first.
        price_eur: what one more unit of it for an hour would save at most, in €; 0 where a rule planned.
        unit: of the limit, "A" or "kW".
    """

    name: str
    bound_h: float
    starts: datetime
    price_eur: float
    unit: str


class PlanView(Shape):
    """The plan ahead: equal steps from `start`.

    Attributes:
        planned_kw: all sessions together, one value a step.
        price_eur_per_kwh: one value a step.
        unserved_kwh: wanted energy the plan does not deliver.
        reason: why a rule stepped in for the planner; empty otherwise.
        limits: those that bind, the dearest first, a few.
        more_limits: how many more bind.
        short: vehicles that will leave without all they wanted.
        fairness: Jain's index of the parts that are served, 1 where all get the same part; None for fewer than two.
    """

    planner: str
    status: PlanStatus
    reason: str
    made_at: datetime | None
    solve_s: float
    start: datetime
    step_s: float
    planned_kw: tuple[float, ...]
    price_eur_per_kwh: tuple[float, ...]
    unserved_kwh: float
    cost_eur: float
    limits: tuple[LimitView, ...]
    more_limits: int
    short: int
    fairness: float | None


class PricesView(Shape):
    """The price in force and those to come: each holds from its start until the next."""

    starts: tuple[datetime, ...]
    price_eur_per_kwh: tuple[float, ...]


class AlarmView(Shape):
    """Something an operator should know.

    Attributes:
        id: the same for as long as the cause is.
        subject: connector, charger or node it is about; empty for the site.
        since: when it began, where that is known.
    """

    id: str
    severity: Severity
    subject: str
    text: str
    since: datetime | None = None


class TallyView(Shape):
    """Sums since the gateway started."""

    sessions_started: int
    sessions_completed: int
    requested_kwh: float
    delivered_kwh: float
    unserved_kwh: float
    cost_eur: float
    refused: int


class UpstreamView(Shape):
    """How the depot stands with the second central system.

    Attributes:
        url: of it, without secrets.
        up: chargers whose link it has accepted.
        away: chargers for which it should be reached and is not.
        waiting: messages that it has not answered yet.
        dropped: messages that it never heard.
        conflicts: how often the two did not agree.
    """

    url: str
    up: int
    away: int
    waiting: int
    dropped: int
    conflicts: int


class PanelView(Shape):
    """All of it, at one moment; connectors and nodes in the order of the site, `upstream` None where it has none."""

    site: SiteView
    nodes: tuple[NodeView, ...]
    connectors: tuple[ConnectorView, ...]
    plan: PlanView | None
    prices: PricesView
    alarms: tuple[AlarmView, ...]
    tally: TallyView
    upstream: UpstreamView | None = None
