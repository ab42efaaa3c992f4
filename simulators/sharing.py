"""How the connectors of a charge point divide one supply. Pure; all currents are per phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from twin_core.models.quantities import ALL_PHASES, MINIMUM_CURRENT_A, Phase, quantise_down


class Sharing(StrEnum):
    """Rules by which makers divide a supply."""

    EQUAL = "equal"
    """The same to everyone who wants some; what one does not want goes to the others."""
    FIRST_COME = "first-come"
    """All that is left to each, in the order in which they came."""
    PER_CONNECTOR = "per-connector"
    """A fixed part for every connector, used or not."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one connector asks of the supply.

    Attributes:
        number: of the connector.
        wish_a: what it would offer if it were alone.
        phases: of the grid connection that it draws from.
        since_s: when it came, on any clock.
        least_a: it takes nothing below this; never less than 6 A.
    """

    number: int
    wish_a: float
    phases: tuple[Phase, ...] = ALL_PHASES
    since_s: float = 0.0
    least_a: float = MINIMUM_CURRENT_A


def share(
    claims: Sequence[Claim], limit_a: float, rule: Sharing, *, connectors: int, step_a: float = 0.1
) -> dict[int, float]:
    """Current for each claim: multiples of `step_a`, 0 or at least its `least_a`, never more than its wish.

    Args:
        claims: of the connectors that want to charge.
        limit_a: on each phase of the supply.
        rule: the maker's.
        connectors: how many the charge point has.
        step_a: granularity of what it can offer.
    """
    granted = dict.fromkeys((claim.number for claim in claims), 0.0)
    wanting = sorted((c for c in claims if c.wish_a >= c.least_a), key=lambda c: (c.since_s, c.number))
    match rule:
        case Sharing.EQUAL:
            granted.update(_equally(wanting, limit_a, step_a))
        case Sharing.FIRST_COME:
            granted.update(_in_turn(wanting, limit_a, step_a))
        case Sharing.PER_CONNECTOR:
            part_a = limit_a / max(1, connectors)
            granted.update(_in_turn([replace(c, wish_a=min(c.wish_a, part_a)) for c in wanting], limit_a, step_a))
        case _:
            assert_never(rule)
    return granted


def _in_turn(wanting: Sequence[Claim], limit_a: float, step_a: float) -> dict[int, float]:
    room = dict.fromkeys(ALL_PHASES, limit_a)
    granted: dict[int, float] = {}
    for claim in wanting:
        found_a = quantise_down(min(claim.wish_a, *(room[phase] for phase in claim.phases)), step_a)
        granted[claim.number] = found_a if found_a >= claim.least_a else 0.0
        for phase in claim.phases:
            room[phase] -= granted[claim.number]
    return granted


def _equally(wanting: Sequence[Claim], limit_a: float, step_a: float) -> dict[int, float]:
    """Max-min fair; while somebody's part is too small to charge with, the last of those to come goes without."""
    staying = list(wanting)
    while True:
        granted = {n: quantise_down(a, step_a) for n, a in _levels(staying, limit_a).items()}
        short = [claim for claim in staying if granted[claim.number] < claim.least_a]
        if not short:
            return granted
        staying.remove(short[-1])


def _levels(claims: Sequence[Claim], limit_a: float) -> dict[int, float]:
    """Everyone rises together until content or until a phase of theirs is full."""
    rising = list(claims)
    granted: dict[int, float] = {}
    room = dict.fromkeys(ALL_PHASES, limit_a)
    while rising:
        level = {
            phase: room[phase] / count for phase in ALL_PHASES if (count := sum(phase in c.phases for c in rising))
        }
        lowest_a = min(level.values())
        settled = [c for c in rising if c.wish_a <= lowest_a]
        if not settled:
            tightest = min(level, key=lambda phase: level[phase])
            settled = [c for c in rising if tightest in c.phases]
        for claim in settled:
            granted[claim.number] = min(claim.wish_a, lowest_a)
            rising.remove(claim)
            for phase in claim.phases:
                room[phase] -= granted[claim.number]
    return granted
