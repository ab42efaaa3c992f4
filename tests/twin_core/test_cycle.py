"""The twin as one thing: the same facts give the same grants, and what is learned of a car is forgotten with it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import EPOCH, instant
from tests.sites import charger, connector_id, site
from tests.twin_core.facts import draws, plan_of, plugged_in, ready, taken, unplugged
from twin_core.cycle import CycleReport, Twin
from twin_core.models import events as ev
from twin_core.models.grant import Grant, GrantOutcome, Verdict
from twin_core.models.ids import ChargerId, NodeId
from twin_core.models.tariff import flat_tariff

A = connector_id("A")
NAMES = ("A", "B", "C")


def twin(limit_a: float = 63.0) -> Twin:
    return Twin(site(*(charger(name) for name in NAMES), limit_a=limit_a), since=EPOCH, tariff=flat_tariff(0.2, EPOCH))


def tell(told: Twin, *events: ev.Event) -> None:
    for event in events:
        told.receive(event)


class Loop:
    """A twin whose grants are all taken at once, ticking every two seconds."""

    def __init__(self, told: Twin) -> None:
        self.twin = told
        self.now = 0.0

    def run(self, seconds: float, current_a: float | None = None, needs_a: float = 0.0) -> CycleReport:
        """Let time pass while the car at A draws this, all it is granted when None, and nothing below `needs_a`."""
        until = self.now + seconds
        while True:
            self.now += 2.0
            report = self.twin.tick(instant(self.now))
            for grant in report.decision.grants:
                tell(self.twin, *taken(grant, self.now))
            granted_a = report.decision.allotments[A].limit_a
            drawn_a = granted_a if current_a is None else min(current_a, granted_a)
            drawn_a = drawn_a if drawn_a >= needs_a else 0.0
            tell(self.twin, draws("A", drawn_a, self.now + 1.0))
            if self.now >= until:
                return report


def charging() -> Loop:
    loop = Loop(twin())
    tell(loop.twin, *(event for name in NAMES for event in ready(name)), *plugged_in("A", energy_kwh=40.0))
    tell(loop.twin, plan_of({"A": [20.7] * 24}))
    return loop


# What happened, as a seed that hypothesis can shrink: which fact, where, and how long after the last.
happenings = st.lists(
    st.tuples(
        st.sampled_from(["plug", "unplug", "draw", "tick", "limit", "lose", "back", "reject", "plan", "late"]),
        st.sampled_from(NAMES),
        st.floats(0.1, 40.0),
        st.floats(0, 40.0),
    ),
    max_size=40,
)


def lived(story: list[tuple[str, str, float, float]]) -> list[Grant]:
    """The grants a fresh twin makes of a story."""
    told, now, number, made = twin(40.0), 0.0, dict.fromkeys(NAMES, 0), []
    tell(told, *(event for name in NAMES for event in ready(name)))
    for what, name, wait_s, amount in story:
        now += wait_s
        match what:
            case "plug":
                number[name] += 1
                tell(told, *plugged_in(name, now, transaction=number[name]))
            case "unplug":
                tell(told, unplugged(name, now, number[name]))
            case "draw":
                tell(told, draws(name, amount, now, number[name]))
            case "limit":
                until = instant(now).utc + timedelta(seconds=30)
                tell(
                    told,
                    ev.LimitChanged(
                        at=instant(now), node_id=NodeId("grid"), limit_a=amount, limit_kw=None, until=until
                    ),
                )
            case "lose":
                tell(told, ev.ChargerDisconnected(at=instant(now), charger_id=ChargerId(name)))
            case "back":
                tell(told, *ready(name, now))
            case "plan":
                tell(told, plan_of({each: [amount] * 12 for each in NAMES}, now))
            case _:
                grants = told.tick(instant(now)).decision.grants
                made += grants
                outcome = {"reject": GrantOutcome.REJECTED, "late": GrantOutcome.TIMED_OUT}.get(what)
                for grant in grants:
                    said = taken(grant, now)
                    tell(told, said[0])
                    answer = GrantOutcome.ACCEPTED if outcome is None else outcome
                    tell(
                        told,
                        ev.GrantAnswered(
                            at=instant(now), connector_id=grant.connector_id, seq=grant.seq, outcome=answer
                        ),
                    )
    return made


@settings(deadline=None, max_examples=60)
@given(happenings)
def test_the_same_facts_at_the_same_moments_give_the_same_grants(story: list[tuple[str, str, float, float]]) -> None:
    made = lived(story)
    assert lived(story) == made
    for name in NAMES:
        numbers = [grant.seq for grant in made if grant.connector_id == connector_id(name)]
        assert numbers == sorted(set(numbers))
    assert all(grant.limit_a == 0 or 6 <= grant.limit_a <= 32 for grant in made)


def test_a_car_that_takes_less_is_offered_less_and_the_rest_is_free_for_others() -> None:
    loop = charging()
    report = loop.run(120, current_a=10.0)
    assert report.verdicts[A].verdict is Verdict.LIMITED_BY_CAR
    assert report.decision.allotments[A].limit_a == 12.0


def test_a_car_that_wants_more_again_is_noticed_and_given_it() -> None:
    loop = charging()
    loop.run(120, current_a=10.0)
    report = loop.run(120)
    assert report.decision.allotments[A].limit_a >= 29.0
    assert report.setpoints.obeyed >= 1


def test_a_car_that_begins_at_ten_amperes_only_is_found_out_and_kept_above_them() -> None:
    loop = charging()
    asleep = loop.run(240, current_a=0.0)
    assert asleep.decision.allotments[A].limit_a == 6.0
    offered = [loop.run(10, needs_a=10.0).decision.allotments[A].limit_a for _ in range(90)]
    assert 8.0 in offered
    assert offered[-1] >= 29.0
    drawing = offered[offered.index(10.0) :]
    assert min(drawing) >= 10.0


def test_a_car_that_takes_nothing_whatever_it_is_offered_leaves_the_rest_to_others_most_of_the_time() -> None:
    loop = charging()
    loop.run(60, current_a=0.0)
    offered = [loop.run(10, current_a=0.0).decision.allotments[A].limit_a for _ in range(360)]
    assert max(offered) == 16.0
    assert sum(limit_a > 6.0 for limit_a in offered) < 0.45 * len(offered)


def test_what_was_learned_of_a_car_leaves_with_it() -> None:
    loop = charging()
    loop.run(120, current_a=10.0)
    tell(loop.twin, unplugged("A", loop.now), *plugged_in("A", loop.now, transaction=2))
    report = loop.twin.tick(instant(loop.now + 1))
    assert A not in report.verdicts
    plan = loop.twin.state.plan
    assert plan is not None
    tell(loop.twin, *_plan_for_the_next(loop.now))
    report = loop.twin.tick(instant(loop.now + 2))
    assert report.decision.allotments[A].wish_a == 30.0


def _plan_for_the_next(at: float) -> list[ev.Event]:
    told = plan_of({"A": [20.7] * 24}, at)
    plan = told.plan
    second = type(plan)(
        plan.planner,
        plan.status,
        plan.horizon,
        (type(plan.session_ids[0])(f"{A}:2"),),
        plan.power_kw,
        plan.unserved_kwh,
        plan.cost_eur,
    )
    return [ev.PlanAdopted(at=instant(at), plan=second)]


def test_the_wish_of_a_session_that_ended_is_gone_and_its_limit_comes_down() -> None:
    loop = charging()
    assert loop.run(60).decision.allotments[A].limit_a > 0
    tell(loop.twin, unplugged("A", loop.now))
    report = loop.twin.tick(instant(loop.now + 1))
    assert report.decision.allotments[A].wish_a == 0
    assert [session.id for session in report.ended] == [f"{A}:1"]
    assert loop.twin.tick(instant(loop.now + 2)).ended == ()
    window_s = loop.twin.settings.envelope.window_s
    report = loop.twin.tick(instant(loop.now + window_s + 2))
    assert report.decision.allotments[A].worst_a == 0


def test_an_imposed_limit_ends_by_itself_at_its_moment() -> None:
    told = twin(63.0)
    until = EPOCH + timedelta(seconds=60)
    tell(
        told,
        ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=20.0, limit_kw=None, until=until),
        ev.LimitChanged(at=instant(), node_id=NodeId("A"), limit_a=500.0, limit_kw=None),
    )
    for at, limit_a in ((1.0, 20.0), (59.9, 20.0), (60.0, 63.0), (100.0, 63.0)):
        report = told.tick(instant(at))
        assert report.snapshot.nodes[NodeId("grid")].node.limit_a == limit_a
        assert report.decision.margins[NodeId("grid")].limit_a == limit_a
        assert report.snapshot.nodes[NodeId("A")].node.limit_a == 32.0


def test_a_stranger_named_like_a_node_of_the_site_changes_nothing() -> None:
    told = twin()
    tell(told, ev.ChargerAdopted(at=instant(), charger=charger("grid")))
    assert len(told.tick(instant(1)).snapshot.chargers) == len(NAMES)


def test_who_draws_more_than_it_may_is_counted_at_its_hardware_and_reported() -> None:
    loop = charging()
    tell(loop.twin, *_plan_small())
    loop.run(30)
    for _ in range(10):
        loop.now += 2.0
        report = loop.twin.tick(instant(loop.now))
        for grant in report.decision.grants:
            tell(loop.twin, *taken(grant, loop.now))
        tell(loop.twin, draws("A", 40.0, loop.now + 1.0))
    assert A in report.distrusted
    assert report.decision.allotments[A].worst_a == 32.0
    assert report.setpoints.not_obeyed >= 1


def _plan_small() -> list[ev.Event]:
    return [plan_of({"A": [6.9] * 24})]
