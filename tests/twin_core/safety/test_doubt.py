"""Room kept for a charger that was never seen to keep a limit."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import instant
from tests.twin_core.safety.depots import Desk, connector, limits, outlet, site
from twin_core.models.charger import ConnectorStatus, Learned
from twin_core.models.events import ChargerLearned, ConnectorStatusReported, VehicleExpected
from twin_core.models.ids import ChargerId
from twin_core.safety.doubt import PROBE_A
from twin_core.safety.exposure import EXPECTED_FOR_S

HARDWARE_A = 32.0
NAMES = ("a", "b", "c", "d")


class Doubting(Desk):
    """A desk whose chargers can be doubted; each has a vehicle unless told otherwise."""

    def learn(self, name: str, *, proven: bool) -> None:
        event = ChargerLearned(at=instant(), charger_id=ChargerId(name), learned=Learned(proven=proven))
        self.envelope.observe(event)

    def report(self, name: str, status: ConnectorStatus) -> None:
        self.envelope.observe(ConnectorStatusReported(at=instant(), connector_id=outlet(name), status=status))

    def doubt(self, *names: str) -> None:
        for name in names:
            self.learn(name, proven=False)
            self.report(name, ConnectorStatus.PREPARING)

    def with_one_lying_a(self, liar: str, names: tuple[str, ...], at_s: float) -> float:
        return HARDWARE_A + sum(self.worst_a(name, at_s) for name in names if name != liar)


def depot(limit_a: float, names: tuple[str, ...] = ("a", "b"), **options: Any) -> Doubting:
    return Doubting(site(limit_a, *(connector(name, **options) for name in names)))


def test_beside_a_vehicle_at_an_unproven_charger_the_others_get_what_its_full_draw_leaves() -> None:
    desk = depot(44.0)
    desk.doubt("b")
    assert limits(desk.settle(0.0, {"a": 32.0})) == {"a": 12.0}


def test_once_proven_its_room_is_everybodys() -> None:
    desk = depot(44.0)
    desk.doubt("b")
    desk.settle(0.0, {"a": 32.0})
    desk.learn("b", proven=True)
    assert limits(desk.settle(10.0, {"a": 32.0})) == {"a": 32.0}


def test_without_a_vehicle_no_room_is_kept() -> None:
    desk = depot(44.0)
    desk.doubt("b")
    desk.report("b", ConnectorStatus.AVAILABLE)
    assert limits(desk.settle(0.0, {"a": 32.0})) == {"a": 32.0}


def test_the_others_come_down_when_a_vehicle_is_plugged_in_there_and_only_then_is_it_borne() -> None:
    desk = depot(44.0)
    desk.learn("b", proven=False)
    desk.settle(0.0, {"a": 32.0})
    assert not desk.envelope.bears(ChargerId("b"))
    desk.report("b", ConnectorStatus.PREPARING)
    assert limits(desk.settle(10.0, {"a": 32.0, "b": 0.0}))["a"] == 12.0
    assert not desk.envelope.bears(ChargerId("b"))
    desk.settle(20.0, {"a": 32.0, "b": 0.0})
    assert desk.envelope.bears(ChargerId("b"))


def test_for_a_driver_who_may_charge_room_is_made_before_a_vehicle_is_plugged_in_but_not_for_ever() -> None:
    desk = depot(44.0)
    desk.learn("b", proven=False)
    desk.settle(0.0, {"a": 32.0})
    desk.envelope.observe(VehicleExpected(at=instant(10.0), charger_id=ChargerId("b")))
    assert limits(desk.settle(10.0, {"a": 32.0}))["a"] == 12.0
    desk.settle(20.0, {"a": 32.0})
    assert desk.envelope.bears(ChargerId("b"))
    desk.settle(10.0 + EXPECTED_FOR_S, {"a": 32.0})
    assert desk.worst_a("a", 10.0 + EXPECTED_FOR_S) == 32.0


def test_its_own_limit_costs_the_room_kept_for_it_nothing() -> None:
    desk = depot(44.0)
    desk.doubt("b")
    desk.settle(0.0, {"b": PROBE_A, "a": 32.0})
    desk.settle(10.0, {"b": PROBE_A, "a": 32.0})
    assert (desk.worst_a("a", 10.0), desk.worst_a("b", 10.0)) == (12.0, PROBE_A)


def test_two_unproven_ones_are_tried_at_once_where_either_could_lie() -> None:
    desk = depot(44.0)
    desk.doubt("a", "b")
    for at_s in (0.0, 10.0):
        desk.settle(at_s, {"a": PROBE_A, "b": PROBE_A})
    assert (desk.worst_a("a", 20.0), desk.worst_a("b", 20.0)) == (PROBE_A, PROBE_A)


def test_where_the_row_is_too_small_for_that_one_of_them_is_tried_all_the_same() -> None:
    desk = depot(36.0)
    desk.doubt("a", "b")
    for at_s in (0.0, 10.0, 20.0):
        desk.settle(at_s, {"a": PROBE_A, "b": PROBE_A})
    assert sorted((desk.worst_a("a", 30.0), desk.worst_a("b", 30.0))) == [0.0, PROBE_A]


def test_for_a_charger_that_exceeds_the_row_alone_nothing_is_kept() -> None:
    desk = depot(25.0)
    desk.doubt("b")
    assert limits(desk.settle(0.0, {"a": 25.0})) == {"a": 25.0}
    assert desk.envelope.bears(ChargerId("b"))


def test_the_operator_may_answer_for_less() -> None:
    desk = Doubting(site(44.0, connector("a"), connector("b", assumed_a=16.0)))
    desk.doubt("b")
    assert limits(desk.settle(0.0, {"a": 32.0})) == {"a": 28.0}


def test_what_was_forgotten_of_a_charger_is_doubted() -> None:
    desk = depot(44.0)
    desk.report("b", ConnectorStatus.CHARGING)
    desk.envelope.observe(ChargerLearned(at=instant(), charger_id=ChargerId("b"), learned=None))
    assert limits(desk.settle(0.0, {"a": 32.0})) == {"a": 12.0}


@given(
    st.floats(HARDWARE_A + PROBE_A, 120.0),
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.lists(
        st.tuples(st.permutations(NAMES), st.lists(st.floats(0.0, 40.0), min_size=4, max_size=4), st.booleans()),
        min_size=1,
        max_size=6,
    ),
)
def test_whichever_one_of_the_unproven_lies_the_limit_holds(
    limit_a: float, unproven: set[str], steps: list[tuple[tuple[str, ...], list[float], bool]]
) -> None:
    desk = depot(limit_a, NAMES)
    desk.doubt(*sorted(unproven))
    for number, (order, wishes, answered) in enumerate(steps):
        decision = desk.decide(10.0 * number, dict(zip(order, wishes, strict=True)))
        if answered:
            desk.answer(decision.grants, 10.0 * number)
        for liar in unproven:
            assert desk.with_one_lying_a(liar, NAMES, 10.0 * number) <= limit_a + 1e-6
