"""The user's own mapping: pointers, units, scale and sign."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.mqtt.generic import find, make_generic
from connectors.mqtt.sample import PayloadRefused
from twin_core.errors import ConfigurationError


def refusal(options: dict[str, Any], payload: bytes) -> str:
    with pytest.raises(PayloadRefused) as caught:
        make_generic(options)("t", payload)
    return caught.value.cause


def test_units_scale_and_sign_are_applied() -> None:
    decode = make_generic(
        {
            "current_l1": {"pointer": "/i/0", "unit": "mA"},
            "current_l2": {"pointer": "/i/1", "scale": 0.1},
            "voltage_l1": "/u",
            "power_l1": {"pointer": "/p", "unit": "kW", "sign": -1},
            "power": "/total",
        }
    )
    sample = decode("t", b'{"i": [1500, 25], "u": 229.5, "p": 0.3, "total": -300}')
    assert sample.current_a == (1.5, 2.5, None)
    assert sample.voltage_v == (229.5, None, None)
    assert sample.power_kw == (pytest.approx(-0.3), None, None)
    assert sample.total_power_kw == pytest.approx(-0.3)


def test_a_bare_number_is_a_payload_too() -> None:
    assert make_generic({"power": {"pointer": "", "unit": "kW"}})("t", b"4.2").total_power_kw == 4.2


@pytest.mark.parametrize(
    ("unit", "value"), [("iso", '"2026-06-01T14:00:00+02:00"'), ("s", "1780315200"), ("ms", "1780315200000")]
)
def test_the_meters_own_time_is_read(unit: str, value: str) -> None:
    decode = make_generic({"power": "/p", "timestamp": {"pointer": "/t", "unit": unit}})
    assert decode("t", f'{{"p":1,"t":{value}}}'.encode()).measured_at == datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", ["null", '"2026-06-01T14:00:00"', "1e300", "-1", '"soon"', "true"])
def test_a_time_that_is_none_is_refused(value: str) -> None:
    for unit in ("iso", "s", "ms"):
        options = {"power": "/p", "timestamp": {"pointer": "/t", "unit": unit}}
        assert refusal(options, f'{{"p":1,"t":{value}}}'.encode()) in {"not_a_time", "not_a_number"}


def test_what_is_mapped_must_be_there() -> None:
    assert refusal({"power": "/a/b"}, b'{"a": 1}') == "no_such_field"
    assert refusal({"power": "/a/5"}, b'{"a": [1]}') == "no_such_field"
    assert refusal({"power": "/a/x"}, b'{"a": [1]}') == "no_such_field"
    assert refusal({"power": {"pointer": "/a", "scale": 1e308}}, b'{"a": 1e10}') == "not_finite"


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("", {"a/b": {"~": [10, 20]}}), ("/a~1b/~0/1", 20), ("/nothing", None), ("/a~1b/~0/1/deeper", None)],
)
def test_pointers_follow_rfc_6901(pointer: str, value: object) -> None:
    assert find({"a/b": {"~": [10, 20]}}, pointer) == value


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "at least one of power"),
        ({"voltage_l1": "/u"}, "at least one of power"),
        ({"power": "p"}, "power.pointer"),
        ({"power": {"pointer": "/p", "unit": "A"}}, "power.unit"),
        ({"power": {"pointer": "/p", "scale": -1}}, "power.scale"),
        ({"power": {"pointer": "/p", "scale": float("nan")}}, "power.scale"),
        ({"power": {"pointer": "/p", "sign": 0}}, "power.sign"),
        ({"powr": "/p"}, "powr"),
        ({"power": 5}, "power"),
    ],
)
def test_a_mapping_that_cannot_work_names_the_option(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make_generic(options)
