"""What a run came to: the numbers a demo is judged by, as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.loop_lag import LoopLag, percentile
from twin_core.cycle import CycleReport
from twin_core.models.charger import Learned
from twin_core.models.ids import NodeId
from twin_core.models.quantities import ALL_PHASES, power_kw
from twin_core.models.site import Node
from twin_core.runtime import Runtime

COMPLIANCE_S = 30.0
"""Time in which the chargers follow a limit that was lowered from outside."""


@dataclass(slots=True)
class EnvelopeWatch:
    """How close the twin's own view came to the limits (CycleObserver).

    Attributes:
        violations: ticks at which a measured current lay above its node's limit.
        min_margin_kw: least distance between measured power and a node's limit.
        min_reserved_margin_a: least distance between the worst case and a limit, on any phase.
        shedding_ticks: ticks at which the worst case exceeded a limit and nothing was raised.
    """

    violations: int = 0
    min_margin_kw: float | None = None
    min_reserved_margin_a: float | None = None
    shedding_ticks: int = 0
    ticks: int = 0
    _eased: dict[NodeId, _Eased] = field(default_factory=dict)

    def on_cycle(self, report: CycleReport) -> None:
        """Take one tick into account."""
        self.ticks += 1
        self.shedding_ticks += report.decision.shedding
        for margin in report.decision.margins.values():
            if margin.margin_a is not None and not report.decision.shedding:
                self.min_reserved_margin_a = _least(self.min_reserved_margin_a, margin.margin_a)
        for view in report.snapshot.nodes.values():
            limit_a = self._tolerated_a(view.node, report.snapshot.now.monotonic_s)
            if view.metered_a is None or limit_a is None:
                continue
            self.violations += max(view.metered_a) > limit_a
            self.min_margin_kw = _least(self.min_margin_kw, power_kw(limit_a - max(view.metered_a), len(ALL_PHASES)))

    def _tolerated_a(self, node: Node, now_s: float) -> float | None:
        """The limit in force; for a moment after it was lowered still the old one, while everybody comes down."""
        eased = self._eased.setdefault(node.id, _Eased(node.limit_a))
        if node.limit_a is None or eased.limit_a is None or node.limit_a >= eased.limit_a:
            eased.limit_a, eased.since_s = node.limit_a, None
        elif eased.since_s is None:
            eased.since_s = now_s
        elif now_s - eased.since_s > COMPLIANCE_S:
            eased.limit_a, eased.since_s = node.limit_a, None
        return eased.limit_a


@dataclass(slots=True)
class _Eased:
    limit_a: float | None
    since_s: float | None = None


def _least(known: float | None, value: float) -> float:
    return value if known is None else min(known, value)


def run_report(runtime: Runtime, report: CycleReport, lag: LoopLag, watch: EnvelopeWatch) -> dict[str, Any]:
    """The gateway's own part of a run's report."""
    tally, setpoints = report.snapshot.tally, report.setpoints
    solve_ms = [seconds * 1000.0 for seconds in runtime.plan_times_s]
    return {
        "sessions": {"started": tally.sessions_started, "completed": tally.sessions_completed},
        "energy": {
            "requested_kwh": round(tally.requested_kwh, 3),
            "delivered_kwh": round(tally.delivered_kwh, 3),
            "unserved_kwh": round(tally.unserved_kwh, 3),
        },
        "cost_eur": round(tally.cost_eur, 4),
        "envelope": {
            "violations": watch.violations,
            "min_margin_kw": _rounded(watch.min_margin_kw),
            "min_reserved_margin_a": _rounded(watch.min_reserved_margin_a),
            "shedding_ticks": watch.shedding_ticks,
            "ticks": watch.ticks,
        },
        "setpoints": {
            "sent": setpoints.sent,
            "accepted": setpoints.accepted,
            "rejected": setpoints.rejected,
            "unanswered": setpoints.unanswered,
            "obeyed": setpoints.obeyed,
            "limited_by_car": setpoints.limited_by_car,
            "not_obeyed": setpoints.not_obeyed,
        },
        "plans": {
            "count": runtime.plans,
            "fallbacks": runtime.fallbacks,
            "p50_ms": round(percentile(solve_ms, 0.50), 2),
            "p99_ms": round(percentile(solve_ms, 0.99), 2),
        },
        "loop_lag_ms": {"p99": round(lag.percentile(0.99), 2), "max": round(lag.maximum(), 2)},
        "refused": tally.refused,
        "learned": learned_of(runtime),
    }


def learned_of(runtime: Runtime) -> dict[str, dict[str, Any]]:
    """What is known of each charger's ways, by charger, as plain values."""
    chargers = runtime.twin.state.chargers.values()
    return {state.spec.id: _plain(state.learned) for state in chargers if state.learned is not None}


def _plain(learned: Learned) -> dict[str, Any]:
    return {**asdict(learned), "evidence": {aspect.value: why.seen for aspect, why in learned.evidence.items()}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
