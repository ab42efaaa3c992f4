"""Meters at the site: payload encoders (pure) as the devices write them, with noise, and the loop that publishes."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from simulators.scenario import Meter
from twin_core.models.ids import NodeId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, PhaseCurrents
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

Publish = Callable[[str, bytes, bool], Awaitable[None]]
"""Publish(topic, payload, retain)."""
_LETTERS = ("a", "b", "c")
_MAX_LATE_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What a meter sees at one moment.

    Attributes:
        current_a: per phase; positive is import.
        voltage_v: per phase, line to neutral.
        energy_kwh: import register.
    """

    at: datetime
    current_a: PhaseCurrents
    voltage_v: tuple[float, float, float]
    energy_kwh: float

    @property
    def power_w(self) -> tuple[float, float, float]:
        """Active power per phase at unity power factor."""
        (i1, i2, i3), (u1, u2, u3) = self.current_a, self.voltage_v
        return (i1 * u1, i2 * u2, i3 * u3)


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT publication."""

    topic: str
    payload: bytes
    retain: bool = False


def _json(topic: str, payload: Mapping[str, Any], *, retain: bool = False) -> Message:
    return Message(topic, json.dumps(payload, separators=(",", ":")).encode(), retain)


def encode_generic(topic: str, sample: Sample) -> tuple[Message, ...]:
    """One JSON object with units in its names and its own time."""
    payload: dict[str, Any] = {
        "at": sample.at.isoformat(timespec="milliseconds"),
        "power_kw": round(sum(sample.power_w) / 1000, 3),
        "energy_kwh": round(sample.energy_kwh, 3),
    }
    for k in range(3):
        payload[f"current_l{k + 1}_a"] = round(sample.current_a[k], 3)
        payload[f"voltage_l{k + 1}_v"] = round(sample.voltage_v[k], 1)
    return (_json(topic, payload),)


def encode_shelly_em(topic: str, sample: Sample) -> tuple[Message, ...]:
    """Shelly Pro 3EM, status of component em:0 (Gen2+)."""
    powers = sample.power_w
    payload: dict[str, Any] = {"id": 0}
    for k, letter in enumerate(_LETTERS):
        payload |= {
            f"{letter}_current": round(sample.current_a[k], 3),
            f"{letter}_voltage": round(sample.voltage_v[k], 1),
            f"{letter}_act_power": round(powers[k], 1),
            f"{letter}_aprt_power": round(abs(powers[k]), 1),
            f"{letter}_pf": 1.0,
            f"{letter}_freq": 50.0,
        }
    payload |= {
        "n_current": None,
        "total_current": round(sum(sample.current_a), 3),
        "total_act_power": round(sum(powers), 1),
        "total_aprt_power": round(sum(abs(p) for p in powers), 1),
    }
    return (_json(topic, payload),)


def encode_shelly_em1(topic: str, sample: Sample) -> tuple[Message, ...]:
    """Three single-phase Shelly components em1:0, em1:1, em1:2; `topic` is that of the first."""
    stem = topic.removesuffix("0")
    powers = sample.power_w
    return tuple(
        _json(
            f"{stem}{k}",
            {
                "id": k,
                "current": round(sample.current_a[k], 3),
                "voltage": round(sample.voltage_v[k], 1),
                "act_power": round(powers[k], 1),
                "aprt_power": round(abs(powers[k]), 1),
                "pf": 1.0,
                "freq": 50.0,
            },
        )
        for k in range(3)
    )


def encode_tasmota(topic: str, sample: Sample) -> tuple[Message, ...]:
    """Tasmota SENSOR telemetry; lists hold one value a phase, and its time is local without a zone."""
    energy = {
        "Total": round(sample.energy_kwh, 3),
        "Power": [round(power) for power in sample.power_w],
        "Voltage": [round(volt) for volt in sample.voltage_v],
        "Current": [round(amp, 3) for amp in sample.current_a],
        "Factor": [1.0, 1.0, 1.0],
    }
    return (_json(topic, {"Time": sample.at.strftime("%Y-%m-%dT%H:%M:%S"), "ENERGY": energy}),)


def encode_zigbee2mqtt(topic: str, sample: Sample) -> tuple[Message, ...]:
    """A three-phase Zigbee meter by zigbee2mqtt: the first phase without a suffix."""
    powers = sample.power_w
    payload: dict[str, Any] = {"energy": round(sample.energy_kwh, 2), "linkquality": 120}
    for suffix, k in (("", 0), ("_phase_b", 1), ("_phase_c", 2)):
        payload[f"power{suffix}"] = round(powers[k], 1)
        payload[f"current{suffix}"] = round(sample.current_a[k], 2)
        payload[f"voltage{suffix}"] = round(sample.voltage_v[k], 1)
    return (_json(topic, payload),)


def encode_dsmr(topic: str, sample: Sample) -> tuple[Message, ...]:
    """DSMR-reader: one number a topic below `topic`, kW; currents are whole amperes as the P1 port gives them."""
    powers = [power / 1000 for power in sample.power_w]
    values: dict[str, str] = {"timestamp": sample.at.isoformat(timespec="seconds")}
    for k, kw in enumerate(powers, start=1):
        values[f"phase_currently_delivered_l{k}"] = f"{max(0.0, kw):.3f}"
        values[f"phase_currently_returned_l{k}"] = f"{max(0.0, -kw):.3f}"
        values[f"phase_voltage_l{k}"] = f"{sample.voltage_v[k - 1]:.1f}"
        values[f"phase_power_current_l{k}"] = f"{abs(sample.current_a[k - 1]):.0f}"
    values["electricity_delivered_1"] = f"{sample.energy_kwh:.3f}"
    values["electricity_currently_delivered"] = f"{max(0.0, sum(powers)):.3f}"
    values["electricity_currently_returned"] = f"{max(0.0, -sum(powers)):.3f}"
    stem = topic.rstrip("/")
    return tuple(Message(f"{stem}/{name}", text.encode()) for name, text in values.items())


ENCODERS: Final[dict[str, Callable[[str, Sample], tuple[Message, ...]]]] = {
    "generic": encode_generic,
    "shelly_em": encode_shelly_em,
    "shelly_em1": encode_shelly_em1,
    "tasmota": encode_tasmota,
    "zigbee2mqtt": encode_zigbee2mqtt,
    "dsmr": encode_dsmr,
}


def noisy(current_a: PhaseCurrents, energy_kwh: float, at: datetime, noise: float, rng: random.Random) -> Sample:
    """What a meter with relative noise reads of true currents."""
    i1, i2, i3 = (amps * (1 + rng.gauss(0, noise)) for amps in current_a)
    u1, u2, u3 = (NOMINAL_VOLTAGE_V * (1 + rng.gauss(0, noise / 3)) for _ in range(3))
    return Sample(at, (i1, i2, i3), (u1, u2, u3), energy_kwh)


async def publish_meter(
    meter: Meter, true_currents: Callable[[], Mapping[NodeId, PhaseCurrents]], publish: Publish, clock: Clock, seed: int
) -> None:
    """Publish a meter's readings at its interval until cancelled; a broker that is away costs readings, no more."""
    rng = random.Random(f"meter:{seed}:{meter.node}")
    encode = ENCODERS[meter.format]
    energy_kwh = rng.uniform(1_000, 50_000)
    failing = False
    next_s = clock.now().monotonic_s + rng.uniform(0, meter.interval_s)
    while True:
        await asyncio.sleep(max(0.0, next_s - clock.now().monotonic_s))
        now = clock.now()
        current_a = true_currents()[NodeId(meter.node)]
        energy_kwh += sum(current_a) * NOMINAL_VOLTAGE_V / 1000 * meter.interval_s / 3600
        try:
            for message in encode(meter.topic, noisy(current_a, energy_kwh, now.utc, meter.noise, rng)):
                await publish(message.topic, message.payload, message.retain)
        except OSError as error:
            if not failing:
                logger.warning("meter cannot publish", extra={"node": meter.node, "reason": str(error)[:120]})
            failing = True
        else:
            failing = False
        next_s += meter.interval_s
        if clock.now().monotonic_s - next_s > _MAX_LATE_S:
            next_s = clock.now().monotonic_s + meter.interval_s
