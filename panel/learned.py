"""What was learned of a charger, in the words of whoever runs the depot. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from panel.cards import LearnedLine
from twin_core.models.charger import Aspect, Learned, ProfilePurpose, RateUnit
from twin_core.models.learned import belief

_NOTHING = Learned()
_UNITS = {RateUnit.AMPERE: "amperes", RateUnit.WATT: "watts"}


def learned_lines(learned: Learned | None) -> tuple[LearnedLine, ...]:
    """Every way of a charger that is known or differs from what is assumed of any; nothing where nothing is known."""
    if learned is None:
        return ()
    told = [aspect for aspect in Aspect if aspect in learned.evidence or belief(learned, aspect) != _assumed(aspect)]
    return tuple(_line(learned, aspect) for aspect in told)


def _assumed(aspect: Aspect) -> object:
    return belief(_NOTHING, aspect)


def _line(learned: Learned, aspect: Aspect) -> LearnedLine:
    why = learned.evidence.get(aspect)
    return LearnedLine(
        aspect=aspect.value,
        belief=_WORDS[aspect](learned),
        seen="" if why is None else why.seen,
        at=None if why is None else why.at,
        by="" if why is None else why.by,
    )


def _fallback(learned: Learned) -> str:
    purpose = learned.fallback_purpose
    return "keeps no fallback of its own" if purpose is None else f"keeps its fallback as {purpose}"


def _stack_level(learned: Learned) -> str:
    level = learned.max_stack_level
    return "takes stack level 0 only" if level == 0 else f"takes stack levels up to {level}"


def _leases(learned: Learned) -> str:
    if learned.leases is None:
        return "profiles may end by themselves or not: not tried"
    return "profiles end by themselves" if learned.leases else "a profile holds until the next one"


def _delay(learned: Learned) -> str:
    return f"applies a limit {learned.delay_s:.0f} s late" if learned.delay_s > 0 else "applies a limit at once"


def _draw(learned: Learned) -> str:
    more = learned.gain - 1.0
    return f"draws {more:.1%} more than told, so it is told less" if more > 0 else "draws no more than told"


def _phases(learned: Learned) -> str:
    if not learned.phases:
        return "its way of dividing watts by phases is not known"
    each = ", ".join(f"{n_phases} on connector {number}" for number, n_phases in learned.phases.items())
    return f"divides watts by phases: {each}"


_WORDS: Mapping[Aspect, Callable[[Learned], str]] = MappingProxyType(
    {
        Aspect.FALLBACK: _fallback,
        Aspect.GRANTS: lambda known: f"takes grants as {_in_order(known.purposes)}",
        Aspect.UNIT: lambda known: f"takes limits in {_UNITS[known.unit]}",
        Aspect.STEP: lambda known: f"takes limits in steps of {known.step_a:g} A",
        Aspect.STACK_LEVEL: _stack_level,
        Aspect.LEASES: _leases,
        Aspect.KIND: lambda known: f"takes schedules of kind {'Relative' if known.relative else 'Absolute'}",
        Aspect.CLOCK: lambda known: f"has a clock that {'no' if known.clock_off else 'a'} schedule can rest on",
        Aspect.PAUSE: lambda known: (
            f"cannot be paused, only kept at {known.lowest_a:g} A" if known.lowest_a > 0 else "can be paused"
        ),
        Aspect.DELAY: _delay,
        Aspect.DRAW: _draw,
        Aspect.PROOF: lambda known: (
            "keeps its limits" if known.proven else "not seen to keep a limit: room is kept for all it can draw"
        ),
        Aspect.WAKE_UP: lambda known: f"vehicles had to be woken after a pause: {known.sleepers}",
        Aspect.PHASES: _phases,
        Aspect.SKIPPED: lambda known: f"left out of its set-up: {', '.join(known.skipped) or 'nothing'}",
    }
)


def _in_order(purposes: tuple[ProfilePurpose, ...]) -> str:
    return ", else ".join(purposes)
