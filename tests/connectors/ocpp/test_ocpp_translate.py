"""What chargers report, with all the ways they get it slightly wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ocpp import translate
from tests.connectors.ocpp.peer import charger_spec
from tests.connectors.ocpp.test_ocpp_frames import JSON
from tests.fakes import instant
from twin_core.models.charger import ConnectorReading, ConnectorStatus
from twin_core.models.quantities import ALL_PHASES, Phase

CURRENT, POWER, ENERGY = "Current.Import", "Power.Active.Import", "Energy.Active.Import.Register"


def sample(measurand: str | None, value: Any, unit: str | None = None, phase: str | None = None, **more: Any) -> Any:
    found = {"value": value, "measurand": measurand, "unit": unit, "phase": phase, **more}
    return {key: item for key, item in found.items() if item is not None}


def read(*samples: Any, phases: tuple[Phase, ...] = ALL_PHASES) -> tuple[ConnectorReading | None, list[str]]:
    causes: list[str] = []
    return translate.read_samples(list(samples), phases, causes), causes


def test_a_full_sample_is_read_in_our_units() -> None:
    reading, causes = read(
        sample(CURRENT, "10.1", "A", "L1"),
        sample(CURRENT, "10.2", "A", "L2"),
        sample(CURRENT, "10.3", "A", "L3"),
        sample(POWER, "7038", "W"),
        sample("Voltage", "231", "V", "L1-N"),
        sample("Voltage", "229", "V", "L2-N"),
        sample(ENERGY, "123456", "Wh"),
        sample("SoC", "50", "Percent"),
        sample("Current.Offered", "16", "A"),
        sample("Frequency", "50.01", "Hertz"),
    )
    assert causes == []
    assert reading == ConnectorReading(
        power_kw=7.038, current_a=(10.1, 10.2, 10.3), voltage_v=230.0, energy_kwh=123.456, soc=0.5, offered_a=16.0
    )


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([sample(None, "123456")], {"energy_kwh": 123.456}),
        ([sample(ENERGY, "123.456", "kWh")], {"energy_kwh": 123.456}),
        ([sample(ENERGY, 123456, "WH")], {"energy_kwh": 123.456}),
        ([sample(POWER, " 3.5 ", "kW")], {"power_kw": 3.5}),
        ([sample(POWER, "3500")], {"power_kw": 3.5}),
        ([sample(POWER, "-3", "W")], {"power_kw": 0.0}),
        ([sample(POWER, "1000", "W", p) for p in ("L1", "L2", "L3")], {"power_kw": 3.0}),
        ([sample(POWER, "1000", "W", "L1"), sample(POWER, "3500", "W")], {"power_kw": 3.5}),
        ([sample(ENERGY, "1000", "Wh", p) for p in ("L1", "L2")], {"energy_kwh": 2.0}),
        ([sample("Voltage", "398.4", "V", "L1-L2")], {"voltage_v": pytest.approx(230.0, abs=0.1)}),
        ([sample("Voltage", "0", "V"), sample("SoC", "50", "%")], {"soc": 0.5}),
        ([sample("SoC", "50")], {"soc": 0.5}),
        ([sample(CURRENT, "0.5", "A", "N"), sample("SoC", "1")], {"soc": 0.01}),
        ([sample(POWER, "", "W"), sample("SoC", "50")], {"soc": 0.5}),
    ],
)
def test_lenient_readings(samples: list[Any], expected: dict[str, Any]) -> None:
    reading, causes = read(*samples)
    assert causes == []
    assert reading == ConnectorReading(**expected)


def test_currents_land_on_the_grid_phases_the_connector_is_wired_to() -> None:
    rotated = (Phase.L2, Phase.L3, Phase.L1)
    reading, _ = read(
        sample(CURRENT, "6", "A", "L1"),
        sample(CURRENT, "7", "A", "L2"),
        sample(CURRENT, "8", "A", "L3"),
        phases=rotated,
    )
    assert reading is not None
    assert reading.current_a == (8.0, 6.0, 7.0)


def test_a_current_without_phase_counts_on_every_wired_phase() -> None:
    reading, _ = read(sample(CURRENT, "9", "A"), phases=(Phase.L3,))
    assert reading is not None
    assert reading.current_a == (0.0, 0.0, 9.0)
    reading, _ = read(sample(CURRENT, "9", "A"))
    assert reading is not None
    assert reading.current_a == (9.0, 9.0, 9.0)


def test_phases_left_out_count_where_the_power_says_they_carry_current() -> None:
    three_phase, _ = read(sample(CURRENT, "10", "A", "L1"), sample(POWER, "6900", "W"))
    one_phase, _ = read(sample(CURRENT, "10", "A", "L1"), sample(POWER, "2300", "W"))
    assert three_phase is not None
    assert one_phase is not None
    assert three_phase.current_a == (10.0, 10.0, 10.0)
    assert one_phase.current_a == (10.0, 0.0, 0.0)


def test_power_alone_says_nothing_of_currents() -> None:
    reading, _ = read(sample(POWER, "6900", "W"))
    assert reading is not None
    assert reading.current_a is None


@pytest.mark.parametrize("value", ["NaN", "nan", "inf", "-Infinity", "1e999", "1_0", "abc", "'; DROP", True, [], {}])
def test_what_is_no_number_is_refused_and_the_rest_is_kept(value: Any) -> None:
    reading, causes = read(sample(POWER, value, "W"), sample("SoC", "50"))
    assert reading == ConnectorReading(soc=0.5)
    assert len(causes) == 1


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (sample(POWER, "1e9", "W"), "meter-out-of-range"),
        (sample(CURRENT, "-40", "A"), "meter-out-of-range"),
        (sample(ENERGY, "-1", "Wh"), "meter-out-of-range"),
        (sample("SoC", "101"), "meter-out-of-range"),
        (sample(POWER, "7", "Hz"), "meter-unknown-unit"),
        (sample("Request.Energy", "7"), "meter-unknown-measurand"),
        (sample(CURRENT, "7", "A", "L9"), "meter-unknown-phase"),
        (sample(CURRENT, "7", "A", "L2"), "meter-phase-not-wired"),
        ("text", "meter-unreadable"),
        ({"value": "1", "measurand": ["x"]}, "meter-unreadable"),
        ({"value": "1", "context": {"a": 1}}, "meter-unreadable"),
    ],
)
def test_each_refusal_is_named(bad: Any, cause: str) -> None:
    reading, causes = read(bad, sample("SoC", "50"), phases=(Phase.L1,))
    assert causes == [cause]
    assert reading == ConnectorReading(soc=0.5)


def test_a_refused_phase_does_not_make_the_others_pass_for_the_whole() -> None:
    reading, causes = read(
        sample(CURRENT, "10", "A", "L1"),
        sample(CURRENT, "NaN", "A", "L2"),
        sample(POWER, "1000", "W", "L1"),
        sample(POWER, "x", "W", "L2"),
    )
    assert reading is None
    assert causes == ["meter-not-a-number"] * 2


def test_what_belongs_to_the_begin_of_a_transaction_yields_to_the_moments_own_samples() -> None:
    begin = {"context": "Transaction.Begin"}
    reading, _ = read(sample(ENERGY, "1000", "Wh", **begin), sample(ENERGY, "2000", "Wh", context="Sample.Periodic"))
    assert reading == ConnectorReading(energy_kwh=2.0)
    reading, _ = read(sample(ENERGY, "1000", "Wh", **begin))
    assert reading == ConnectorReading(energy_kwh=1.0)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-06-01T12:00:00Z", "2026-06-01T12:00:00+00:00"),
        ("2026-06-01T12:00:00", "2026-06-01T12:00:00+00:00"),
        ("2026-06-01T22:00:00.123+10:00", "2026-06-01T12:00:00.123000+00:00"),
        (" 2026-06-01T12:00:00Z ", "2026-06-01T12:00:00+00:00"),
        ("0001-01-01T00:00:00+10:00", None),
        ("yesterday", None),
        (1780315200, None),
        (None, None),
    ],
)
def test_timestamps_are_read_leniently(text: Any, utc: str | None) -> None:
    found = translate.timestamp(text)
    assert (None if found is None else found.isoformat()) == utc


def test_tags_and_texts_carry_nothing_that_forges_a_line_or_a_page() -> None:
    assert translate.id_tag("AB\r\nCD\x00\u202e") == "ABCD"
    assert translate.id_tag(1234) == "1234"
    assert len(translate.id_tag("x" * 5000)) == translate.MAX_ID_TAG_LENGTH
    assert translate.text({"a": 1}) == ""


def test_power_is_derived_from_a_register_that_rises_and_from_no_other() -> None:
    assert translate.power_from_energy(10.0, 10.01, 5.0) == pytest.approx(7.2)
    assert translate.power_from_energy(10.0, 9.0, 5.0) is None
    assert translate.power_from_energy(10.0, 11.0, 0.0) is None
    assert translate.power_from_energy(10.0, 11.0, math.nan) is None
    assert translate.power_from_energy(0.0, 1e6, 5.0) is None


def test_a_status_of_the_standard_becomes_an_event_and_no_other_does() -> None:
    (connector,) = charger_spec("CP1").connectors
    event = translate.status_event({"status": "SuspendedEV", "errorCode": "Error"}, connector, instant())
    assert event is not None
    assert event.status is ConnectorStatus.SUSPENDED_EV
    for status in ("Occupied", None, ["Charging"], 7):
        assert translate.status_event({"status": status}, connector, instant()) is None


SAMPLES = st.fixed_dictionaries(
    {"value": st.text(max_size=6) | st.floats().map(str) | JSON},
    optional={
        "measurand": st.sampled_from([CURRENT, POWER, ENERGY, "SoC", "Voltage", "Current.Offered"]) | JSON,
        "unit": st.sampled_from(["A", "W", "kW", "Wh", "kWh", "V", "Percent"]) | JSON,
        "phase": st.sampled_from(["L1", "L2", "L3", "N", "L1-N", "L1-L2"]) | JSON,
        "context": st.sampled_from(["Sample.Periodic", "Transaction.Begin"]) | JSON,
        "format": st.sampled_from(["Raw", "SignedData"]) | JSON,
    },
)


@given(st.lists(SAMPLES | JSON, max_size=6), st.sampled_from([ALL_PHASES, (Phase.L2,), (Phase.L3, Phase.L1)]))
def test_no_sample_makes_a_reading_that_is_not_finite_and_in_range(samples: list[Any], phases: Any) -> None:
    reading, causes = read(*samples, phases=phases)
    assert all(cause.startswith("meter-") for cause in causes)
    if reading is None:
        return
    assert reading.power_kw is None or 0.0 <= reading.power_kw <= 3000.0
    assert reading.soc is None or 0.0 <= reading.soc <= 1.0
    assert reading.energy_kwh is None or 0.0 <= reading.energy_kwh <= 4 * translate.MAX_ENERGY_KWH
    assert reading.voltage_v is None or 50.0 <= reading.voltage_v <= 300.0
    assert reading.offered_a is None or 0.0 <= reading.offered_a <= 1000.0
    if reading.current_a is not None:
        assert all(0.0 <= current <= 1000.0 for current in reading.current_a)
        assert all(reading.current_a[phase] == 0.0 for phase in set(ALL_PHASES) - set(phases))


@given(JSON)
def test_no_value_makes_a_field_reader_raise(value: Any) -> None:
    translate.timestamp(value)
    translate.integer(value)
    translate.energy_kwh(value)
    translate.id_tag(value)
    translate.text(value)
    payload = value if isinstance(value, dict) else {"meterValue": value, "status": value}
    (connector,) = charger_spec("CP1").connectors
    translate.meter_events(payload, connector, instant(), None)
    translate.status_event(payload, connector, instant())
    translate.identity(payload)
