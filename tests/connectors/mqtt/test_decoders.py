"""Payloads of real meters give the sample they mean; anything else is refused with its cause."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mqtt.checks import MAX_CURRENT_A, MAX_POWER_KW, MAX_VOLTAGE_V
from connectors.mqtt.decoders import DECODERS, Decoder, is_online, shelly_em, shelly_em1, tasmota, zigbee2mqtt
from connectors.mqtt.sample import MeterSample, PayloadRefused
from twin_core.errors import ConfigurationError

SHELLY_EM = {
    "id": 0,
    "a_current": 4.029,
    "a_voltage": 236.1,
    "a_act_power": 951.2,
    "a_aprt_power": 951.9,
    "a_pf": 1,
    "a_freq": 50,
    "b_current": 4.027,
    "b_voltage": 236.201,
    "b_act_power": -951.1,
    "b_aprt_power": 951.8,
    "b_pf": 1,
    "b_freq": 50,
    "c_current": 3.03,
    "c_voltage": 236.402,
    "c_act_power": 715.4,
    "c_aprt_power": 716.2,
    "c_pf": 1,
    "c_freq": 50,
    "n_current": None,
    "total_current": 11.083,
    "total_act_power": 715.5,
    "total_aprt_power": 2484.782,
    "user_calibrated_phase": [],
}
SHELLY_EM1 = {"id": 0, "current": 4.029, "voltage": 236.1, "act_power": 951.2, "aprt_power": 951.9, "pf": 1, "freq": 50}
SHELLY_SWITCH = {"id": 0, "output": True, "apower": 8.9, "voltage": 237.5, "current": 0.05, "aenergy": {"total": 6.5}}
TASMOTA = {
    "Time": "2026-06-01T12:00:00",
    "ENERGY": {
        "TotalStartTime": "2019-02-28T19:20:45",
        "Total": 2.38,
        "Yesterday": 0.3,
        "Today": 0.25,
        "Period": 0,
        "Power": 170,
        "ApparentPower": 180,
        "ReactivePower": 60,
        "Factor": 0.94,
        "Voltage": 230,
        "Current": 0.78,
    },
}
ZIGBEE = {"power": 1150, "current": 5.02, "voltage": 229, "energy": 12.3, "linkquality": 120, "state": "ON"}


def read(decode: Decoder, payload: object) -> MeterSample:
    sample = decode("any/topic", json.dumps(payload).encode())
    assert sample is not None
    return sample


def refusal(decode: Decoder, payload: bytes) -> PayloadRefused:
    with pytest.raises(PayloadRefused) as caught:
        decode("any/topic", payload)
    return caught.value


def test_shelly_three_phase_meter() -> None:
    sample = read(shelly_em, SHELLY_EM)
    assert sample.current_a == (4.029, 4.027, 3.03)
    assert sample.voltage_v == (236.1, 236.201, 236.402)
    assert sample.power_kw == pytest.approx((0.9512, -0.9511, 0.7154))
    assert sample.total_power_kw == pytest.approx(0.7155)


@pytest.mark.parametrize("phase", "abc")
def test_a_shelly_with_a_silent_phase_is_not_a_smaller_meter(phase: str) -> None:
    silent = {**SHELLY_EM, f"{phase}_current": None, f"{phase}_act_power": None}
    assert refusal(shelly_em, json.dumps(silent).encode()).cause == "phase_missing"


def test_shelly_single_phase_meters() -> None:
    sample = read(shelly_em1, SHELLY_EM1)
    assert sample.current_a == (4.029, None, None)
    assert sample.power_kw[0] == pytest.approx(0.9512)
    plug = read(shelly_em1, SHELLY_SWITCH)
    assert plug.power_kw[0] == pytest.approx(0.0089)
    assert plug.voltage_v[0] == 237.5


def test_tasmota_with_one_channel() -> None:
    sample = read(tasmota, TASMOTA)
    assert sample.power_kw == (0.17, None, None)
    assert sample.current_a == (0.78, None, None)
    assert sample.measured_at is None, "its time has no zone"


def test_tasmota_with_a_list_per_phase_and_one_voltage() -> None:
    sample = read(tasmota, {"ENERGY": {"Power": [52, 5], "Voltage": 235, "Current": [0.3, 0.1]}})
    assert sample.power_kw == (0.052, 0.005, None)
    assert sample.voltage_v == (235, 235, None)
    assert sample.current_a == (0.3, 0.1, None)


def test_a_tasmota_that_measures_the_weather_is_refused() -> None:
    payload = b'{"Time":"2026-06-01T12:00:00","AM2301":{"Temperature":21.5}}'
    assert refusal(tasmota, payload).cause == "no_measurement"


def test_zigbee2mqtt_plug_and_three_phase_meter() -> None:
    assert read(zigbee2mqtt, ZIGBEE).current_a == (5.02, None, None)
    meter = {"power": 100, "power_phase_b": 200, "power_phase_c": -300, "current": 1, "current_phase_b": 2}
    sample = read(zigbee2mqtt, meter)
    assert sample.power_kw == (0.1, 0.2, -0.3)
    assert sample.current_a == (1, 2, None)


def test_a_zigbee_message_about_its_radio_alone_is_refused() -> None:
    assert refusal(zigbee2mqtt, b'{"linkquality": 93}').cause == "no_measurement"


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("NaN", "not_json"),
        ("Infinity", "not_json"),
        ("1e999", "not_json"),
        ("9" * 5000, "not_finite"),
        ("true", "not_a_number"),
        ('"7"', "not_a_number"),
        ("[1]", "not_a_number"),
        ("1e12", "out_of_range"),
        ("-1e12", "out_of_range"),
    ],
)
def test_what_no_meter_could_mean_is_refused(value: str, cause: str) -> None:
    found = refusal(shelly_em1, f'{{"current": 1, "act_power": {value}}}'.encode())
    assert found.cause in {cause, "out_of_range", "not_json"}
    assert len(found.detail) < 300


@pytest.mark.parametrize("volts", [-1, -230, 1001])
def test_an_impossible_voltage_is_refused(volts: float) -> None:
    assert refusal(shelly_em1, f'{{"current": 1, "voltage": {volts}}}'.encode()).cause == "out_of_range"


@pytest.mark.parametrize(
    ("payload", "cause"),
    [
        (b"", "not_json"),
        (b"null", "not_an_object"),
        (b"[]", "not_an_object"),
        (b"\xff\xfe", "not_json"),
        (b"[" * 50_000, "not_json"),
        (b'{"a":' * 10_000, "not_json"),
        (b" " * 70_000, "too_large"),
    ],
)
def test_what_is_no_object_is_refused(payload: bytes, cause: str) -> None:
    assert refusal(shelly_em, payload).cause == cause


@pytest.mark.parametrize(
    ("payload", "online"),
    [
        (b"true", True),
        (b"false", False),
        (b"Online", True),
        (b"Offline", False),
        (b'{"state":"online"}', True),
        (b'{"state":"offline"}', False),
        (b'{"state":', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_availability_is_understood_in_every_dialect(payload: bytes, online: bool | None) -> None:
    assert is_online(payload) is online


@pytest.mark.parametrize(
    ("profile", "topic", "availability"),
    [
        ("shelly_em", "shellypro3em-1/status/em:0", "shellypro3em-1/online"),
        ("shelly_em1", "depot/main/status/em1:0", "depot/main/online"),
        ("tasmota", "tele/main/SENSOR", "tele/main/LWT"),
        ("zigbee2mqtt", "zigbee2mqtt/hall/main", "zigbee2mqtt/hall/main/availability"),
        ("generic", "x", None),
        ("dsmr", "dsmr/reading/+", None),
    ],
)
def test_each_family_says_where_it_is_alive(profile: str, topic: str, availability: str | None) -> None:
    assert DECODERS[profile].availability(topic) == availability


@pytest.mark.parametrize("profile", sorted(set(DECODERS) - {"generic"}))
def test_options_where_there_are_none_are_refused(profile: str) -> None:
    with pytest.raises(ConfigurationError, match="no options"):
        DECODERS[profile].make({"scale": 10})


OPTIONS: dict[str, Any] = {
    "current_l1": "/a_current",
    "power": {"pointer": "/ENERGY/Power", "unit": "kW"},
    "timestamp": {"pointer": "/ts", "unit": "s"},
}
DECODE: dict[str, Decoder] = {
    name: profile.make(OPTIONS if name == "generic" else {}) for name, profile in DECODERS.items()
}
NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
FIELDS = st.sampled_from(
    [*SHELLY_EM, *SHELLY_EM1, *ZIGBEE, "apower", "ENERGY", "Power", "Voltage", "Current", "ts", "power_phase_b"]
)
TREES = st.recursive(
    NUMBERS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(FIELDS, inner, max_size=8))
)
TOPICS = st.sampled_from(
    ["x", "dsmr/reading/phase_voltage_l1", "dsmr/reading/timestamp", "dsmr/reading/electricity_currently_delivered"]
)
PAYLOADS = st.one_of(
    st.binary(max_size=80),
    TREES.map(lambda tree: json.dumps(tree).encode()),
    st.floats().map(lambda number: str(number).encode()),
)


@pytest.mark.parametrize("name", DECODE)
def test_whatever_comes_gives_a_sound_sample_or_a_refusal(name: str) -> None:
    @given(TOPICS, PAYLOADS)
    def is_sound(topic: str, payload: bytes) -> None:
        try:
            sample = DECODE[name](topic, payload)
        except PayloadRefused:
            return
        if sample is None:
            assert name == "dsmr"
            return
        assert not sample.is_empty
        assert all(value is None or 0 <= value <= MAX_CURRENT_A for value in sample.current_a)
        assert all(value is None or 0 <= value <= MAX_VOLTAGE_V for value in sample.voltage_v)
        powers = (*sample.power_kw, sample.total_power_kw)
        assert all(value is None or abs(value) <= MAX_POWER_KW for value in powers)
        assert not any(value is not None and math.isnan(value) for value in powers)

    is_sound()
