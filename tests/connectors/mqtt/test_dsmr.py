"""DSMR-reader's single numbers become whole readings, and never half of two."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mqtt.dsmr import DsmrJoiner, dsmr_value, join
from connectors.mqtt.sample import MeterSample, PayloadRefused

TELEGRAM = {
    "timestamp": "2026-06-01T12:00:00Z",
    "electricity_delivered_1": "1234.567",
    "electricity_currently_delivered": "2.300",
    "electricity_currently_returned": "0.000",
    "phase_currently_delivered_l1": "1.150",
    "phase_currently_delivered_l2": "1.380",
    "phase_currently_delivered_l3": "0.000",
    "phase_currently_returned_l1": "0.000",
    "phase_currently_returned_l2": "0.000",
    "phase_currently_returned_l3": "0.230",
    "phase_voltage_l1": "230.1",
    "phase_voltage_l2": "229.9",
    "phase_voltage_l3": "231.0",
    "phase_power_current_l1": "5",
    "phase_power_current_l2": "6",
    "phase_power_current_l3": "1",
}


def feed(joiner: DsmrJoiner, telegram: dict[str, str]) -> list[MeterSample]:
    found = (joiner(f"dsmr/reading/{field}", value.encode()) for field, value in telegram.items())
    return [sample for sample in found if sample is not None]


def test_a_telegram_becomes_one_reading_with_its_last_field() -> None:
    joiner = DsmrJoiner()
    assert feed(joiner, TELEGRAM) == [], "the first one shows which fields there are"
    (sample,) = feed(joiner, TELEGRAM)
    assert sample == MeterSample(
        current_a=(5, 6, 1),
        voltage_v=(230.1, 229.9, 231.0),
        power_kw=(1.15, 1.38, -0.23),
        total_power_kw=2.3,
        measured_at=datetime(2026, 6, 1, 12, tzinfo=UTC),
    )
    assert len(feed(joiner, TELEGRAM)) == 1


@given(st.sampled_from([field for field in TELEGRAM if field != "electricity_delivered_1"]))
def test_a_telegram_that_lost_a_field_gives_nothing_and_the_next_one_does(lost: str) -> None:
    joiner = DsmrJoiner()
    feed(joiner, TELEGRAM)
    feed(joiner, TELEGRAM)
    partial = {field: value for field, value in TELEGRAM.items() if field != lost}
    try:
        assert feed(joiner, partial) == []
    except PayloadRefused:
        assert lost == "timestamp"
    newer = {field: value.replace("1.150", "9.150") for field, value in TELEGRAM.items()}
    samples = feed(joiner, newer) + feed(joiner, newer)
    assert samples
    assert all(sample.power_kw[0] == 9.15 for sample in samples), "nothing of an old telegram is mixed in"


def test_a_field_that_stops_coming_is_waited_for_only_for_a_while() -> None:
    joiner = DsmrJoiner()
    for _ in range(2):
        feed(joiner, TELEGRAM)
    without = {field: value for field, value in TELEGRAM.items() if field != "phase_voltage_l2"}
    samples = [sample for _ in range(6) for sample in feed(joiner, without)]
    assert samples
    assert samples[-1].voltage_v == (230.1, None, 231.0)


@given(st.integers(1, len(TELEGRAM) - 1))
def test_who_comes_in_the_midst_of_a_telegram_waits_for_the_next(missed: int) -> None:
    joiner = DsmrJoiner()
    feed(joiner, dict(list(TELEGRAM.items())[missed:]))
    newer = {field: value.replace("1.150", "9.150") for field, value in TELEGRAM.items()}
    (sample,) = feed(joiner, newer) + feed(joiner, newer)
    assert sample.power_kw[0] == 9.15


def test_telegrams_without_their_timestamp_are_refused_with_the_remedy() -> None:
    joiner = DsmrJoiner()
    without = {field: value for field, value in TELEGRAM.items() if field != "timestamp"}
    feed(joiner, without)
    with pytest.raises(PayloadRefused, match="publish timestamp"):
        feed(joiner, without)


def test_after_a_broken_link_the_half_telegram_is_void() -> None:
    joiner = DsmrJoiner()
    feed(joiner, TELEGRAM)
    fields = list(TELEGRAM.items())
    feed(joiner, dict(fields[:8]))
    joiner.reset()
    assert feed(joiner, dict(fields[8:])) == []


def test_a_meter_without_phases_gives_its_total() -> None:
    sample = join({"electricity_currently_delivered": 0.0, "electricity_currently_returned": 3.0})
    assert sample.total_power_kw == -3.0
    assert sample.power_kw == (None, None, None)


@pytest.mark.parametrize(
    ("field", "payload", "cause"),
    [
        ("phase_voltage_l1", b"NaN", "not_a_number"),
        ("phase_voltage_l1", b"1e3", "not_a_number"),
        ("phase_voltage_l1", b"", "not_a_number"),
        ("timestamp", b"yesterday", "not_a_time"),
        ("timestamp", b"2026-06-01T12:00:00", "not_a_time"),
    ],
)
def test_a_field_that_says_nothing_is_refused(field: str, payload: bytes, cause: str) -> None:
    with pytest.raises(PayloadRefused) as caught:
        dsmr_value(f"dsmr/reading/{field}", payload)
    assert caught.value.cause == cause


def test_fields_that_do_not_matter_are_passed_over() -> None:
    assert dsmr_value("dsmr/day-consumption/energy_supplier_price", b"not even a number") is None
