"""What a meter says of a node never promises more room than there is."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mqtt.meters import Meter, MeterBinding, through_node
from connectors.mqtt.sample import MeterSample, PayloadRefused, PerPhase
from tests.fakes import EPOCH, instant
from twin_core.errors import ConfigurationError
from twin_core.models.events import NodeMetered
from twin_core.models.ids import NodeId
from twin_core.models.quantities import Phase, PhaseCurrents

GRID = NodeId("grid")
L1, L2, L3 = Phase.L1, Phase.L2, Phase.L3


def bind(**changes: Any) -> MeterBinding:
    return MeterBinding(**{"node_id": GRID, "topic": "m/status/em:0", "decoder": "shelly_em", **changes})


def currents(sample: MeterSample, **changes: Any) -> PhaseCurrents:
    return through_node(sample, bind(**changes))[0]


def refused(sample: MeterSample, **changes: Any) -> str:
    with pytest.raises(PayloadRefused) as caught:
        through_node(sample, bind(**changes))
    return caught.value.cause


def amperes(a: float, b: float | None = None, c: float | None = None) -> MeterSample:
    return MeterSample(current_a=(a, b, c))


def kilowatts(a: float | None, b: float | None = None, c: float | None = None) -> MeterSample:
    return MeterSample(power_kw=(a, b, c))


def test_channels_go_to_the_phases_they_are_wired_to() -> None:
    assert currents(amperes(1, 2, 3)) == (1, 2, 3)
    assert currents(amperes(1, 2, 3), phases=(L2, L3, L1)) == (3, 1, 2)
    assert currents(amperes(5), phases=(L3,)) == (0, 0, 5)


def test_with_unknown_wiring_each_phase_counts_the_highest_channel() -> None:
    assert currents(amperes(1, 7, 3), phases=None) == (7, 7, 7)
    assert currents(amperes(5), phases=None) == (5, 5, 5)


def test_export_on_an_unknown_phase_makes_no_room_on_the_others() -> None:
    assert currents(kilowatts(-2.3), phases=None) == (0, 0, 0)
    assert currents(kilowatts(-2.3), phases=(L1,)) == pytest.approx((-10, 0, 0))


def test_a_missing_phase_is_never_zero() -> None:
    assert refused(amperes(1, 2)) == "phase_missing"
    assert refused(amperes(1)) == "phase_missing"


def test_a_loaded_channel_that_nobody_assigned_is_no_secret() -> None:
    assert refused(amperes(1, 2), phases=(L1,)) == "phase_unassigned"
    assert currents(amperes(1, 0, 0), phases=(L1,)) == (1, 0, 0)


def test_power_without_current_counts_at_nominal_voltage() -> None:
    assert currents(kilowatts(2.3, 4.6, -2.3)) == pytest.approx((10, 20, -10))


def test_a_dead_channels_voltage_is_not_divided_by() -> None:
    dead = MeterSample(power_kw=(2.3, 0, 0), voltage_v=(0, 0, 0))
    assert currents(dead) == pytest.approx((10, 0, 0))


def test_a_single_total_counts_in_full_on_every_phase_it_may_be_on() -> None:
    total = MeterSample(total_power_kw=6.9)
    assert currents(total) == pytest.approx((30, 30, 30))
    assert currents(total, phases=None) == pytest.approx((30, 30, 30))
    assert currents(total, phases=(L2,)) == pytest.approx((0, 30, 0))
    assert currents(total, balanced=True) == pytest.approx((10, 10, 10))


def test_a_total_that_is_exported_makes_room_only_where_its_phases_are_known() -> None:
    total = MeterSample(total_power_kw=-6.9)
    assert currents(total) == (0, 0, 0)
    assert currents(total, phases=(L1,)) == pytest.approx((-30, 0, 0))
    assert currents(total, balanced=True) == pytest.approx((-10, -10, -10))


def test_an_exported_current_keeps_its_reactive_part_as_load() -> None:
    sample = MeterSample(current_a=(5, 0, 0), power_kw=(-0.69, 0, 0), voltage_v=(230, 230, 230))
    assert currents(sample)[0] == pytest.approx(-3 + 4)


def test_power_and_current_that_contradict_each_other_are_refused() -> None:
    thousandfold = MeterSample(current_a=(10, 10, 10), power_kw=(2300, 2.3, 2.3))
    assert refused(thousandfold) == "inconsistent"
    whole_amperes = MeterSample(current_a=(0, 5, 6), power_kw=(0.2, 1.35, 1.5))
    assert currents(whole_amperes) == pytest.approx((0.87, 5.87, 6.52), abs=0.01)


def test_more_than_the_installation_can_carry_is_refused() -> None:
    assert refused(amperes(1, 2, 101), max_current_a=100) == "above_rating"
    assert refused(kilowatts(1, 2, -100), max_current_a=100) == "above_rating"


def test_the_total_is_the_meters_own_or_the_sum_of_its_channels() -> None:
    assert through_node(MeterSample(power_kw=(1, 2, 3), total_power_kw=5.9), bind())[1] == 5.9
    assert through_node(kilowatts(1, 2, -4), bind())[1] == pytest.approx(-1)
    assert through_node(amperes(10, 0, 0), bind())[1] == pytest.approx(2.3)


VALUES = st.one_of(st.none(), st.floats(-900, 900))
TRIPLES: st.SearchStrategy[PerPhase] = st.tuples(VALUES, VALUES, VALUES)
SAMPLES = st.builds(
    MeterSample,
    current_a=TRIPLES.map(lambda t: tuple(None if v is None else abs(v) for v in t)),
    voltage_v=TRIPLES.map(lambda t: tuple(None if v is None else abs(v) for v in t)),
    power_kw=TRIPLES.map(lambda t: tuple(None if v is None else v / 3 for v in t)),
    total_power_kw=VALUES,
)
PHASES = st.one_of(st.none(), st.permutations([L1, L2, L3]).flatmap(lambda p: st.sampled_from([p[:1], p[:2], p])))


@given(SAMPLES, PHASES)
def test_currents_are_finite_and_knowing_less_never_promises_more(
    sample: MeterSample, phases: list[Phase] | None
) -> None:
    binding = bind(phases=None if phases is None else tuple(phases), max_current_a=1e6)
    try:
        known, power_kw = through_node(sample, binding)
    except PayloadRefused:
        return
    assert all(map(math.isfinite, (*known, power_kw)))
    unknown, _ = through_node(sample, bind(phases=None, max_current_a=1e6))
    assert all(u >= k - 1e-9 for u, k in zip(unknown, known, strict=True))


def reading(power_w: float = 100.0, **more: object) -> bytes:
    values = {f"{p}_{f}": v for p in "abc" for f, v in (("current", 1.0), ("act_power", power_w), ("voltage", 230.0))}
    return json.dumps(values | more).encode()


def read(meter: Meter, payload: bytes, at_s: float = 0.0) -> NodeMetered | None:
    return meter.read("m/status/em:0", payload, instant(at_s))


def test_a_reading_becomes_an_event_of_now() -> None:
    event = read(Meter(bind()), reading(100.0), at_s=7)
    assert event == NodeMetered(at=instant(7), node_id=GRID, current_a=(1, 1, 1), power_kw=pytest.approx(0.3))


def test_a_meter_that_repeats_itself_to_the_last_digit_is_stuck_until_it_moves() -> None:
    meter = Meter(bind(stuck_after=5))
    events = [read(meter, reading(100.0)) for _ in range(5)]
    assert all(events)
    with pytest.raises(PayloadRefused, match="stuck"):
        read(meter, reading(100.0))
    assert [read(meter, reading(100.0)) for _ in range(10)] == [None] * 10, "said once; its age does the rest"
    assert read(meter, reading(100.1)) is not None
    assert read(meter, reading(100.1)) is not None


def test_a_meter_that_may_stand_still_is_never_stuck() -> None:
    meter = Meter(bind(stuck_after=0))
    assert all(read(meter, reading()) for _ in range(500))


def timed(at_s: float, power: float = 1.0) -> bytes:
    return json.dumps({"p": power, "t": (EPOCH + timedelta(seconds=at_s)).isoformat()}).encode()


def clocked() -> Meter:
    return Meter(bind(decoder="generic", options={"power": "/p", "timestamp": "/t"}, phases=(L1,), stale_after_s=30))


@pytest.mark.parametrize(("measured_s", "cause"), [(969, "stale"), (-86400, "stale"), (1061, "from_the_future")])
def test_a_meters_own_time_must_be_near_ours(measured_s: float, cause: str) -> None:
    with pytest.raises(PayloadRefused) as caught:
        read(clocked(), timed(measured_s), at_s=1000)
    assert caught.value.cause == cause
    assert read(clocked(), timed(971), at_s=1000) is not None


def test_an_older_reading_after_a_newer_one_is_refused() -> None:
    meter = clocked()
    assert read(meter, timed(995), at_s=1000) is not None
    with pytest.raises(PayloadRefused) as caught:
        read(meter, timed(994), at_s=1001)
    assert caught.value.cause == "out_of_order"
    assert read(meter, timed(996), at_s=1002) is not None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"decoder": "shely"}, "there are dsmr, generic, shelly_em"),
        ({"topic": "a/#/b"}, "not allowed"),
        ({"topic": ""}, "not allowed"),
        ({"topic": "a\x00b"}, "not allowed"),
        ({"phases": ()}, "each phase once"),
        ({"phases": (L1, L1)}, "each phase once"),
        ({"stale_after_s": 0}, "positive"),
        ({"max_current_a": float("nan")}, "positive"),
        ({"decoder": "generic", "options": {"power": 1}}, "power"),
    ],
)
def test_a_binding_that_cannot_work_says_so_before_anything_runs(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        bind(**changes)
