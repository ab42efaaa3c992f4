"""What an operator should know now, worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from panel.shapes import AlarmView, ConnectorState, ConnectorView, NodeView, PlanView, Severity, SiteView, UpstreamView
from twin_core.models.grant import Verdict
from twin_core.models.plan import PlanStatus

UNSERVED_KWH = 0.5
"""Less than this missing at departure is not worth a line."""

NAMED = 3
"""So many quiet chargers are named one by one; more become one line."""

_ORDER = {Severity.ALARM: 0, Severity.WARNING: 1, Severity.NOTICE: 2}


def alarms_of(
    site: SiteView,
    nodes: tuple[NodeView, ...],
    connectors: tuple[ConnectorView, ...],
    plan: PlanView | None,
    upstream: UpstreamView | None = None,
) -> tuple[AlarmView, ...]:
    """Everything that wants attention, the most severe first and otherwise in the order of the site."""
    found = [
        *_site(site),
        *_nodes(nodes),
        *_connectors(connectors),
        *_offline(connectors),
        *_plan(plan, site),
        *_upstream(upstream),
    ]
    return tuple(sorted(found, key=lambda alarm: _ORDER[alarm.severity]))


def _site(site: SiteView) -> Iterator[AlarmView]:
    if site.shedding:
        text = "Load is being shed: every charger that can be reached is turned down until the limits hold again"
        yield AlarmView(id="site:shedding", severity=Severity.ALARM, subject="", text=text)
    if site.limit_kw is not None and not site.power_kw <= site.limit_kw:
        text = f"The site draws {site.power_kw:.1f} kW, its limit is {site.limit_kw:.1f} kW"
        yield AlarmView(id="site:over", severity=Severity.ALARM, subject="", text=text)


def _nodes(nodes: tuple[NodeView, ...]) -> Iterator[AlarmView]:
    for node in nodes:
        if (node.margin_a is not None and not node.margin_a >= 0) or (
            node.margin_kw is not None and not node.margin_kw >= 0
        ):
            text = "more could flow than allowed if every charger did its worst"
            yield AlarmView(id=f"{node.id}:margin", severity=Severity.ALARM, subject=node.id, text=text)
        if not node.base_trusted and node.metered_at is not None:
            text = "its meter is silent or stuck: the configured worst case is assumed"
            yield AlarmView(id=f"{node.id}:meter", severity=Severity.WARNING, subject=node.id, text=text)


def _connectors(connectors: tuple[ConnectorView, ...]) -> Iterator[AlarmView]:
    for connector in connectors:
        if connector.verdict is Verdict.NOT_OBEYED or connector.distrusted:
            yield _about(connector, "obey", Severity.ALARM, connector.why or "did not obey its limit")
        if connector.state is ConnectorState.FAULTED:
            yield _about(connector, "fault", Severity.ALARM, f"reports a fault: {connector.error_code}")
        if connector.stale and connector.online:
            yield _about(connector, "stale", Severity.WARNING, "its meter is silent while a vehicle is connected")
        if connector.online and not connector.commissioned and connector.id_tag is not None:
            text = f"answers nothing: {connector.hardware_max_a:.0f} A are kept free for it, and it gets no limit"
            yield _about(connector, "silent", Severity.ALARM, text)
        if connector.online and connector.commissioned and not connector.fallback_confirmed:
            text = f"keeps no fallback limit of its own: {connector.hardware_max_a:.0f} A are kept free for it"
            yield _about(connector, "fallback", Severity.WARNING, text)


def _about(connector: ConnectorView, cause: str, severity: Severity, text: str) -> AlarmView:
    return AlarmView(id=f"{connector.id}:{cause}", severity=severity, subject=connector.id, text=text)


def _offline(connectors: tuple[ConnectorView, ...]) -> Iterator[AlarmView]:
    """Chargers without a link: those with a vehicle each, the others together when they are many."""
    silent = [connector for connector in connectors if not connector.online]
    for connector in silent:
        if connector.id_tag is not None:
            yield _about(connector, "offline", Severity.WARNING, "lost its link with a vehicle connected")
    idle = [connector for connector in silent if connector.id_tag is None]
    if len(idle) > NAMED:
        text = f"{len(idle)} connectors without a vehicle have no link"
        yield AlarmView(id="site:offline", severity=Severity.NOTICE, subject="", text=text)
        return
    for connector in idle:
        yield _about(connector, "offline", Severity.NOTICE, "has no link; no vehicle is connected")


def _plan(plan: PlanView | None, site: SiteView) -> Iterator[AlarmView]:
    if plan is None:
        if site.sessions:
            text = "There is no plan yet: every vehicle keeps its lowest limit"
            yield AlarmView(id="plan:none", severity=Severity.WARNING, subject="", text=text)
        return
    if plan.status is PlanStatus.FALLBACK:
        text = f"A simple rule plans in place of {plan.planner}: {plan.reason or 'no reason was given'}"
        yield AlarmView(id="plan:fallback", severity=Severity.WARNING, subject="", text=text, since=plan.made_at)
    if plan.unserved_kwh >= UNSERVED_KWH:
        text = f"{plan.unserved_kwh:.1f} kWh cannot be delivered before departure"
        yield AlarmView(id="plan:unserved", severity=Severity.NOTICE, subject="", text=text)


def _upstream(upstream: UpstreamView | None) -> Iterator[AlarmView]:
    """Chargers charge on without it, so it is never more than a warning."""
    if upstream is not None and upstream.away and upstream.waiting:
        chargers = "1 charger" if upstream.away == 1 else f"{upstream.away} chargers"
        messages = "1 message waits" if upstream.waiting == 1 else f"{upstream.waiting} messages wait"
        text = f"The upstream is not reached for {chargers}: {messages} for it"
        yield AlarmView(id="upstream:away", severity=Severity.WARNING, subject="", text=text)
