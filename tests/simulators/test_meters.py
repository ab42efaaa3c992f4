"""Payloads of simulated meters, read back by the gateway's decoders: two readings of the same documentation."""

from __future__ import annotations

import asyncio
import itertools
import random
from datetime import UTC, datetime

import pytest

from connectors.mqtt.decoders import DECODERS
from connectors.mqtt.sample import MeterSample
from simulators.meters import ENCODERS, Sample, noisy, publish_meter
from simulators.scenario import Meter
from tests.fakes import LoopClock
from twin_core.models.ids import NodeId

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SAMPLE = Sample(NOW, (12.0, 7.0, 3.0), (230.0, 231.0, 229.0), 1234.5)
GENERIC = {
    "current_l1": "/current_l1_a",
    "current_l2": "/current_l2_a",
    "current_l3": "/current_l3_a",
    "power": {"pointer": "/power_kw", "unit": "kW"},
    "timestamp": {"pointer": "/at", "unit": "iso"},
}


def decoded(name: str, topic: str) -> list[MeterSample]:
    decode = DECODERS[name].make(GENERIC if name == "generic" else {})
    # DSMR-reader tells which fields there are by its first telegram, so the second is the first that can be complete.
    told = ENCODERS[name](topic, SAMPLE) * (2 if name == "dsmr" else 1)
    found = [decode(message.topic, message.payload) for message in told]
    return [sample for sample in found if sample is not None]


@pytest.mark.parametrize("name", ["generic", "shelly_em", "tasmota", "zigbee2mqtt", "dsmr"])
def test_what_a_meter_says_is_what_the_gateway_understands(name: str) -> None:
    (sample,) = decoded(name, "site/meter")
    assert sample.current_a == pytest.approx(SAMPLE.current_a, abs=0.01)
    total = sample.total_power_kw if sample.total_power_kw is not None else sum(p or 0 for p in sample.power_kw)
    assert total == pytest.approx(sum(SAMPLE.power_w) / 1000, abs=0.002)


def test_three_single_phase_meters_speak_on_a_topic_each() -> None:
    topics = [message.topic for message in ENCODERS["shelly_em1"]("shelly/status/em1:0", SAMPLE)]
    assert topics == [f"shelly/status/em1:{k}" for k in range(3)]
    assert [s.current_a[0] for s in decoded("shelly_em1", "shelly/status/em1:0")] == [12.0, 7.0, 3.0]


def test_noise_is_as_large_as_stated() -> None:
    rng = random.Random(1)
    read = [noisy((100.0, 100.0, 100.0), 0.0, NOW, 0.01, rng).current_a[0] for _ in range(2000)]
    mean = sum(read) / len(read)
    spread = (sum((value - mean) ** 2 for value in read) / len(read)) ** 0.5
    assert mean == pytest.approx(100.0, abs=0.1)
    assert spread == pytest.approx(1.0, rel=0.1)


async def test_a_meter_publishes_at_its_interval_and_outlives_a_broker_that_is_away() -> None:
    published: list[float] = []
    away = True

    async def publish(topic: str, payload: bytes, retain: bool) -> None:
        if away:
            raise OSError("no broker")
        published.append(asyncio.get_running_loop().time())

    meter = Meter(node="grid", topic="m", interval_s=2)
    currents = {NodeId("grid"): (1.0, 1.0, 1.0)}
    task = asyncio.create_task(publish_meter(meter, lambda: currents, publish, LoopClock(), 1))
    await asyncio.sleep(20)
    away = False
    await asyncio.sleep(20)
    task.cancel()
    assert len(published) == 10
    assert all(later - earlier == pytest.approx(2.0) for earlier, later in itertools.pairwise(published))
