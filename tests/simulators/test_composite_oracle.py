"""Every second of a composite schedule, against a painter who knows no sweep, no ranks in keys and no edges.

He has one canvas for what a session may take and one for the station. He paints every profile second by second, least
important first, so that what matters more covers what matters less, and reckons with calendar dates. Nothing of the
engine is used but its records.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators.composite import Period, Profile, ProfileKind, Recurrency, Scene, composite, limit_at
from twin_core.models.charger import ProfilePurpose, RateUnit

NOON = 1_780_315_200.0
BEGIN, SECONDS = -90, 320
SCENES = [
    Scene(1, n_phases=3, transaction_start_s=NOON, transaction_id=7),
    Scene(1),
    Scene(1, n_phases=1, transaction_start_s=NOON + 100, transaction_id=None),
    Scene(2, n_phases=2, transaction_start_s=NOON - 400, transaction_id=8),
    Scene(0),
]
Paint = tuple[float, int | None]

seconds = st.integers(-200, 400)


def seldom(values: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    """Mostly nothing: of profiles that hold only for a moment, few ever meet."""
    return st.integers(0, 3).flatmap(lambda die: st.none() if die else values)


@st.composite
def some_profile(draw: st.DrawFn) -> Profile:
    purpose = draw(st.sampled_from([*ProfilePurpose, ProfilePurpose.TX_DEFAULT]))
    kind = draw(st.sampled_from(list(ProfileKind)))
    starts = sorted({0, *draw(st.lists(st.integers(1, 200), max_size=3))})
    recurrency = draw(st.sampled_from(list(Recurrency))) if kind is ProfileKind.RECURRING else None
    # Recurring schedules may have begun days ago, so that one run ends and the next begins inside the window.
    days_back = draw(st.integers(0, 15)) if recurrency else 0
    start = draw(seconds) if recurrency else draw(st.none() | st.integers(-300, 200))
    unit = draw(st.sampled_from(list(RateUnit)))
    scale = 230.0 if unit is RateUnit.WATT else 1.0
    phases = draw(st.sampled_from([None, 1, 3]))
    lasts = st.integers(1, 300) | st.integers(86_300, 86_500)
    duration = draw(st.none() | lasts)
    valid_from, valid_to = draw(seldom(seconds)), draw(seldom(seconds))
    return Profile(
        id=draw(st.integers(1, 999)),
        connector=0 if purpose is ProfilePurpose.CHARGE_POINT_MAX else draw(st.sampled_from([0, 1, 1, 2])),
        stack_level=draw(st.integers(0, 3)),
        purpose=purpose,
        kind=kind,
        periods=tuple(Period(float(s), scale * draw(st.integers(0, 32)), phases) for s in starts),
        installed_s=NOON + draw(seconds),
        unit=unit,
        start_s=None if start is None else NOON + start - 86_400.0 * days_back,
        duration_s=None if duration is None else float(duration),
        valid_from_s=None if valid_from is None else NOON + valid_from,
        valid_to_s=None if valid_to is None else NOON + valid_to,
        recurrency=recurrency,
        transaction_id=draw(st.sampled_from([None, 7, 8])) if purpose is ProfilePurpose.TX else None,
    )


def date(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def origin(one: Profile, scene: Scene) -> datetime | None:
    """The date that the first period counts from."""
    plugged = None if scene.transaction_start_s is None else date(scene.transaction_start_s)
    taken = date(one.installed_s)
    if one.kind is ProfileKind.RELATIVE:
        return plugged
    if one.start_s is not None:
        return date(one.start_s)
    if one.purpose is ProfilePurpose.CHARGE_POINT_MAX or plugged is None:
        return taken
    return plugged if plugged > taken else taken


def brush(one: Profile, moment: datetime, scene: Scene) -> Paint | None:
    """What a profile alone says at a moment."""
    if one.valid_from_s is not None and moment < date(one.valid_from_s):
        return None
    if one.valid_to_s is not None and not moment < date(one.valid_to_s):
        return None
    begun = origin(one, scene)
    if begun is None or moment < begun:
        return None
    if one.kind is ProfileKind.RECURRING:
        every = timedelta(weeks=1) if one.recurrency is Recurrency.WEEKLY else timedelta(days=1)
        while begun + every <= moment:
            begun += every
    elapsed = (moment - begun).total_seconds()
    if one.duration_s is not None and not elapsed < one.duration_s:
        return None
    period = max((p for p in one.periods if p.start_s <= elapsed), key=lambda p: p.start_s)
    if one.unit is RateUnit.AMPERE:
        return period.limit, period.n_phases
    return period.limit / 230.0 / min(scene.n_phases, period.n_phases or 3), period.n_phases


def heard(one: Profile, scene: Scene) -> bool:
    """Whether a profile concerns a connector and what runs there."""
    match one.purpose:
        case ProfilePurpose.CHARGE_POINT_MAX:
            return True
        case ProfilePurpose.TX_DEFAULT:
            return scene.connector > 0 and one.connector in {0, scene.connector}
        case ProfilePurpose.TX:
            ours = one.transaction_id is None or one.transaction_id == scene.transaction_id
            return ours and one.connector == scene.connector and scene.transaction_start_s is not None


def importance(one: Profile) -> int:
    """TxProfiles cover defaults, then levels count, then naming the connector."""
    return (1000 if one.purpose is ProfilePurpose.TX else 0) + 10 * one.stack_level + min(1, one.connector)


def paint(profiles: list[Profile], scene: Scene) -> list[Paint | None]:
    """What holds in each second of the window; None where nothing limits."""
    session: list[Paint | None] = [None] * SECONDS
    station: list[Paint | None] = [None] * SECONDS
    # Of two equal ones a store would keep but one; here the first counts, as in the engine, and is painted last.
    backwards = profiles[::-1]
    for one in sorted(backwards, key=importance):
        canvas = station if one.purpose is ProfilePurpose.CHARGE_POINT_MAX else session
        for second in range(SECONDS if heard(one, scene) else 0):
            canvas[second] = brush(one, date(NOON + BEGIN + second), scene) or canvas[second]
    return [lower(a, b) for a, b in zip(session, station, strict=True)]


def lower(one: Paint | None, other: Paint | None) -> Paint | None:
    if one is None or other is None:
        return one or other
    phases = [p for p in (one[1], other[1]) if p]
    return min(one[0], other[0]), min(phases) if phases else None


def daily(start: int, limit: float, **more: float) -> Profile:
    return Profile(
        id=1,
        connector=1,
        stack_level=0,
        purpose=ProfilePurpose.TX_DEFAULT,
        kind=ProfileKind.RECURRING,
        periods=(Period(0.0, limit), Period(50.0, limit + 1)),
        installed_s=NOON,
        start_s=NOON + start - 86_400,
        recurrency=Recurrency.DAILY,
        **more,
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(some_profile(), max_size=6), st.sampled_from(SCENES))
@example([daily(20, 10.0)], SCENES[0])
@example([daily(20, 10.0, duration_s=86_399.0)], SCENES[1])
def test_the_composite_schedule_is_right_in_every_second(profiles: list[Profile], scene: Scene) -> None:
    steps = composite(profiles, NOON + BEGIN, NOON + BEGIN + SECONDS, scene)
    assert steps[0].start_s == NOON + BEGIN
    assert all(one.start_s < other.start_s for one, other in itertools.pairwise(steps))
    assert all(one[1:] != other[1:] for one, other in itertools.pairwise(steps))
    for second, wanted in enumerate(paint(profiles, scene)):
        stated = [step for step in steps if step.start_s <= NOON + BEGIN + second][-1]
        assert (stated.limit_a is None) == (wanted is None)
        if wanted is not None:
            assert (stated.limit_a, stated.n_phases) == (pytest.approx(wanted[0]), wanted[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(some_profile(), max_size=6), st.sampled_from(SCENES), st.integers(0, SECONDS - 1))
def test_one_moment_is_what_the_whole_schedule_says_of_it(profiles: list[Profile], scene: Scene, at: int) -> None:
    steps = composite(profiles, NOON + BEGIN, NOON + BEGIN + SECONDS, scene)
    stated = [step.limit_a for step in steps if step.start_s <= NOON + BEGIN + at][-1]
    assert limit_at(profiles, NOON + BEGIN + at, scene) == stated


@settings(max_examples=60, deadline=None)
@given(st.lists(some_profile(), max_size=6), st.sampled_from(SCENES), some_profile())
def test_a_maximum_for_the_station_never_raises_a_limit(profiles: list[Profile], scene: Scene, one: Profile) -> None:
    others = [p for p in profiles if p.purpose is not ProfilePurpose.CHARGE_POINT_MAX]
    for second in range(BEGIN, BEGIN + SECONDS, 7):
        free, capped = limit_at(others, NOON + second, scene), limit_at(profiles, NOON + second, scene)
        assert free is None or (capped is not None and capped <= free)
