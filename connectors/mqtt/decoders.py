"""Payload profiles: pure functions from topic and bytes to a `MeterSample`, and the table of their names.

Sources: Shelly Gen2+ component documentation (EM, EM1), Tasmota `SENSOR` telemetry, Zigbee2MQTT "MQTT topics and
messages". DSMR-reader, which sends one number per topic, is in `dsmr.py`; the user's own mapping is in `generic.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from connectors.mqtt.checks import channels, measured, number, parse_object
from connectors.mqtt.dsmr import DsmrJoiner
from connectors.mqtt.generic import make_generic
from connectors.mqtt.sample import MeterSample, PayloadRefused, PerPhase
from twin_core.errors import ConfigurationError


class Decoder(Protocol):
    """Reads one message."""

    def __call__(self, topic: str, payload: bytes) -> MeterSample | None:
        """The sample in a message; None when it is only a part of one, or nothing to do with measuring.

        Raises:
            PayloadRefused: the message is not believed.
        """


@dataclass(frozen=True, slots=True)
class Profile:
    """A family of meters.

    Attributes:
        make: builds a decoder from the options of a binding; joiners keep state, so each binding has its own.
        availability: the topic on which a meter of this family says whether it is online, from its reading topic.
    """

    make: Callable[[Mapping[str, object]], Decoder]
    availability: Callable[[str], str | None] = lambda _: None


def shelly_em(topic: str, payload: bytes) -> MeterSample:
    """Shelly Gen2+ three-phase energy meter, `<prefix>/status/em:0`: A, V and W of phases a, b, c.

    Raises:
        PayloadRefused: see `Decoder`.
    """
    data = parse_object(payload)

    def phases(field: str) -> PerPhase:
        values = [number(data.get(f"{letter}_{field}"), f"{letter}_{field}") for letter in "abc"]
        return (values[0], values[1], values[2])

    current_a, power_w = phases("current"), phases("act_power")
    for letter, amperes, watts in zip("abc", current_a, power_w, strict=True):
        if amperes is None and watts is None:
            raise PayloadRefused("phase_missing", f"nothing of phase {letter}")
    return measured(
        current_a=current_a,
        voltage_v=phases("voltage"),
        power_w=power_w,
        total_w=number(data.get("total_act_power"), "total_act_power"),
    )


def shelly_em1(topic: str, payload: bytes) -> MeterSample:
    """Shelly Gen2+ single-phase meter: `em1:N` (`act_power`), or `pm1:N` and `switch:N` (`apower`); A, V and W.

    Raises:
        PayloadRefused: see `Decoder`.
    """
    data = parse_object(payload)
    power = data.get("act_power", data.get("apower"))
    return measured(
        current_a=(number(data.get("current"), "current"), None, None),
        voltage_v=(number(data.get("voltage"), "voltage"), None, None),
        power_w=(number(power, "act_power"), None, None),
    )


def tasmota(topic: str, payload: bytes) -> MeterSample:
    """Tasmota `tele/<topic>/SENSOR`: `ENERGY` with W, V and A, each a number or a list with one for each phase.

    A single voltage beside several powers is the voltage of all of them. `Time` has no zone, so it is not used.

    Raises:
        PayloadRefused: see `Decoder`.
    """
    energy = parse_object(payload).get("ENERGY")
    if not isinstance(energy, dict):
        raise PayloadRefused("no_measurement", "there is no ENERGY object")
    power = channels(energy.get("Power"), "Power")
    volts = channels(energy.get("Voltage"), "Voltage")
    if not isinstance(energy.get("Voltage"), list) and volts[0] is not None:
        volts = _where(power, volts[0])
    return measured(current_a=channels(energy.get("Current"), "Current"), voltage_v=volts, power_w=power)


def zigbee2mqtt(topic: str, payload: bytes) -> MeterSample:
    """Zigbee2MQTT `zigbee2mqtt/<friendly name>`: `power` W, `current` A, `voltage` V, and `_phase_b`, `_phase_c`.

    On a meter with phases `power` is that of phase a, as on the wire (ActivePower; ActivePowerPhB, …PhC).

    Raises:
        PayloadRefused: see `Decoder`.
    """
    data = parse_object(payload)

    def phases(field: str) -> PerPhase:
        names = (field, f"{field}_phase_b", f"{field}_phase_c")
        values = [number(data.get(name), name) for name in names]
        return (values[0], values[1], values[2])

    return measured(current_a=phases("current"), voltage_v=phases("voltage"), power_w=phases("power"))


def _where(shape: PerPhase, value: float) -> PerPhase:
    a, b, c = (None if item is None else value for item in shape)
    return (a, b, c)


def _without_options(decode: Decoder) -> Callable[[Mapping[str, object]], Decoder]:
    def make(options: Mapping[str, object]) -> Decoder:
        _refuse_options(options)
        return decode

    return make


def _make_dsmr(options: Mapping[str, object]) -> Decoder:
    _refuse_options(options)
    return DsmrJoiner()


def _refuse_options(options: Mapping[str, object]) -> None:
    if options:
        raise ConfigurationError(f"this meter profile takes no options, but got {sorted(options)}; remove them")


def _shelly_online(topic: str) -> str | None:
    prefix, found, _ = topic.rpartition("/status/")
    return f"{prefix}/online" if found else None


def _tasmota_will(topic: str) -> str | None:
    prefix, found, _ = topic.rpartition("/SENSOR")
    return f"{prefix}/LWT" if found else None


DECODERS: dict[str, Profile] = {
    "generic": Profile(make_generic),
    "shelly_em": Profile(_without_options(shelly_em), _shelly_online),
    "shelly_em1": Profile(_without_options(shelly_em1), _shelly_online),
    "tasmota": Profile(_without_options(tasmota), _tasmota_will),
    "zigbee2mqtt": Profile(_without_options(zigbee2mqtt), lambda topic: f"{topic}/availability"),
    "dsmr": Profile(_make_dsmr),
}
"""Every profile by the name a site file uses."""


def is_online(payload: bytes) -> bool | None:
    """What an availability message says: `true`, `online`, `Online`, `{"state": "online"}` or their opposites.

    None when it says something else; that is no evidence either way.
    """
    text = payload[:80].decode("utf-8", errors="replace").strip().strip('"').lower()
    if text.startswith("{"):
        try:
            text = str(parse_object(payload).get("state")).lower()
        except PayloadRefused:
            return None
    return {"true": True, "online": True, "false": False, "offline": False}.get(text)
