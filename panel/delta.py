"""What changed between two views, small enough to send every second, and how to take it in. Pure.

`apply_delta(old, diff(old, new)) == new`, always. The browser's half is `static/js/model.js`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from panel.shapes import AlarmView, ConnectorView, NodeView, PanelView, PlanView, PricesView, Shape, UpstreamView

Patch = dict[str, Any]
"""New values of the fields that changed, JSON-ready."""

S = TypeVar("S", bound=Shape)
Keyed = TypeVar("Keyed", ConnectorView, NodeView)


class Delta(BaseModel):
    """The way from one view to the next.

    Attributes:
        site: changed fields of the site; so are `tally` and, where there was a plan before, `plan`.
        nodes: changed fields of changed nodes, by id; so are `connectors`.
        replace: parts that are easier told anew: prices, alarms, the upstream, a first plan, nodes or connectors whose
            order or number changed. A key with None means "there is none now".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    site: Patch = {}
    tally: Patch = {}
    plan: Patch = {}
    nodes: dict[str, Patch] = {}
    connectors: dict[str, Patch] = {}
    replace: dict[str, Any] = {}


def diff(old: PanelView, new: PanelView) -> Delta:
    """Only what differs."""
    replace: dict[str, Any] = {}
    if old.prices != new.prices:
        replace["prices"] = new.prices.model_dump(mode="json")
    if old.alarms != new.alarms:
        replace["alarms"] = [alarm.model_dump(mode="json") for alarm in new.alarms]
    if old.upstream != new.upstream:
        replace["upstream"] = None if new.upstream is None else new.upstream.model_dump(mode="json")
    plan: Patch = {}
    if old.plan is not None and new.plan is not None:
        plan = _patch(old.plan, new.plan)
    elif old.plan is not new.plan:
        replace["plan"] = None if new.plan is None else new.plan.model_dump(mode="json")
    return Delta(
        site=_patch(old.site, new.site),
        tally=_patch(old.tally, new.tally),
        plan=plan,
        nodes=_keyed("nodes", old.nodes, new.nodes, replace),
        connectors=_keyed("connectors", old.connectors, new.connectors, replace),
        replace=replace,
    )


def _patch(old: S, new: S) -> Patch:
    before, after = old.__dict__, new.__dict__
    if before == after:
        return {}
    changed = {name for name, value in after.items() if value != before[name]}
    return new.model_dump(mode="json", include=changed)


def _keyed(part: str, old: tuple[Keyed, ...], new: tuple[Keyed, ...], replace: dict[str, Any]) -> dict[str, Patch]:
    """Patches by id, or the whole part anew in `replace` where things came, went or moved."""
    if [thing.id for thing in old] != [thing.id for thing in new]:
        replace[part] = [thing.model_dump(mode="json") for thing in new]
        return {}
    patches = ((after.id, _patch(before, after)) for before, after in zip(old, new, strict=True))
    return {thing_id: patch for thing_id, patch in patches if patch}


def apply_delta(view: PanelView, delta: Delta) -> PanelView:
    """The next view.

    Raises:
        ValidationError: the delta does not fit this view.
    """
    replace = delta.replace
    return PanelView(
        site=_patched(view.site, delta.site),
        tally=_patched(view.tally, delta.tally),
        plan=_plan(view.plan, delta),
        upstream=_upstream(view.upstream, delta),
        prices=PricesView.model_validate(replace["prices"]) if "prices" in replace else view.prices,
        alarms=tuple(map(AlarmView.model_validate, replace["alarms"])) if "alarms" in replace else view.alarms,
        nodes=_things(NodeView, view.nodes, delta.nodes, replace.get("nodes")),
        connectors=_things(ConnectorView, view.connectors, delta.connectors, replace.get("connectors")),
    )


def _plan(plan: PlanView | None, delta: Delta) -> PlanView | None:
    if "plan" in delta.replace:
        anew = delta.replace["plan"]
        return None if anew is None else PlanView.model_validate(anew)
    return None if plan is None else _patched(plan, delta.plan)


def _upstream(upstream: UpstreamView | None, delta: Delta) -> UpstreamView | None:
    if "upstream" not in delta.replace:
        return upstream
    anew = delta.replace["upstream"]
    return None if anew is None else UpstreamView.model_validate(anew)


def _things(
    shape: type[Keyed], things: tuple[Keyed, ...], patches: dict[str, Patch], anew: Iterable[Patch] | None
) -> tuple[Keyed, ...]:
    if anew is not None:
        return tuple(shape.model_validate(thing) for thing in anew)
    return tuple(_patched(thing, patches.get(thing.id, {})) for thing in things)


def _patched(thing: S, patch: Patch) -> S:
    return type(thing).model_validate({**thing.model_dump(), **patch}) if patch else thing
