"""What was learned of chargers, aspect by aspect: taken over from one to another, or forgotten. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from twin_core.models.charger import Aspect, Learned

FIELDS: Mapping[Aspect, tuple[str, ...]] = MappingProxyType(
    {
        Aspect.FALLBACK: ("fallback_purpose",),
        Aspect.GRANTS: ("purposes",),
        Aspect.UNIT: ("unit",),
        Aspect.STEP: ("step_a",),
        Aspect.STACK_LEVEL: ("max_stack_level",),
        Aspect.LEASES: ("leases",),
        Aspect.KIND: ("relative",),
        Aspect.CLOCK: ("clock_off",),
        Aspect.PAUSE: ("lowest_a",),
        Aspect.DELAY: ("delay_s",),
        Aspect.DRAW: ("gain",),
        Aspect.PROOF: ("proven",),
        Aspect.WAKE_UP: ("sleepers",),
        Aspect.PHASES: ("phases",),
        Aspect.SKIPPED: ("skipped",),
    }
)
"""Fields of `Learned` that an aspect is made of."""

_NOTHING = Learned()


def belief(learned: Learned, aspect: Aspect) -> tuple[Any, ...]:
    """What is believed of an aspect, to be compared."""
    return tuple(getattr(learned, name) for name in FIELDS[aspect])


def taken_over(learned: Learned, source: Learned, aspects: Collection[Aspect]) -> Learned:
    """The same, with these aspects and their evidence as `source` has them."""
    changed = {name: getattr(source, name) for aspect in aspects for name in FIELDS[aspect]}
    kept = {aspect: why for aspect, why in learned.evidence.items() if aspect not in aspects}
    added = {aspect: why for aspect, why in source.evidence.items() if aspect in aspects}
    return replace(learned, **changed, evidence=kept | added)


def without(learned: Learned, aspects: Collection[Aspect]) -> Learned:
    """The same, with nothing known of these aspects."""
    return taken_over(learned, _NOTHING, aspects)
