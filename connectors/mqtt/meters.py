"""From a meter's message to the current through a node, in the sense that never promises too much room.

What is unknown counts as the worst it can be: a current without a power is an import; one power on phases nobody named
counts on each of them; export counts only where its phase is known. Age is judged in the core; a reading that is
refused here simply does not renew the node's reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from connectors.mqtt.checks import check_topic
from connectors.mqtt.decoders import DECODERS, Decoder
from connectors.mqtt.dsmr import DsmrJoiner
from connectors.mqtt.sample import MeterSample, PayloadRefused
from twin_core.errors import ConfigurationError
from twin_core.models.events import NodeMetered
from twin_core.models.ids import NodeId
from twin_core.models.quantities import ALL_PHASES, NOMINAL_VOLTAGE_V, Instant, Phase, PhaseCurrents

_PLAUSIBLE_VOLTAGE_V = (0.8 * NOMINAL_VOLTAGE_V, 1.2 * NOMINAL_VOLTAGE_V)
"""A voltage outside is that of a dead channel or another unit; nominal is used instead."""

_POWER_TOLERANCE = 1.1
_CURRENT_RESOLUTION_A = 1.0
"""Smart meters give whole amperes."""

_FUTURE_TOLERANCE_S = 60.0


@dataclass(frozen=True, slots=True)
class MeterBinding:
    """Which meter measures which node.

    Attributes:
        topic: topic filter of its readings, as the decoder's profile describes it.
        decoder: a name in `DECODERS`.
        options: options of the decoder.
        phases: grid phase of each of the meter's channels; None when nobody knows: then each phase counts the highest.
        stale_after_s: a reading whose own timestamp is older is refused.
        max_current_a: a reading above it on any phase is refused; what the installation can carry.
        balanced: True when a total power may be split evenly over the phases.
        stuck_after: equal readings, to the last digit, from which the meter counts as stuck; 0 never.
        availability_topic: where the meter says whether it is online; None takes the profile's usual one.

    Raises:
        ConfigurationError: decoder, options or topic cannot work.
    """

    node_id: NodeId
    topic: str
    decoder: str = "generic"
    options: Mapping[str, object] = field(default_factory=dict)
    phases: tuple[Phase, ...] | None = ALL_PHASES
    stale_after_s: float = 30.0
    max_current_a: float = 1000.0
    balanced: bool = False
    stuck_after: int = 60
    availability_topic: str | None = None

    def __post_init__(self) -> None:
        check_topic(self.topic, wildcards=True)
        self.make_decoder()
        if self.phases is not None and (not self.phases or len(set(self.phases)) != len(self.phases)):
            raise ConfigurationError(f"meter of {self.node_id!r}: name each phase once, or leave phases out")
        if not (self.stale_after_s > 0 and self.max_current_a > 0 and self.stuck_after >= 0):
            raise ConfigurationError(f"meter of {self.node_id!r}: stale_after_s and max_current_a must be positive")

    def make_decoder(self) -> Decoder:
        """A fresh decoder of this meter.

        Raises:
            ConfigurationError: there is no such profile, or its options are wrong.
        """
        profile = DECODERS.get(self.decoder)
        if profile is None:
            raise ConfigurationError(
                f"meter of {self.node_id!r}: no decoder {self.decoder!r}; there are {', '.join(sorted(DECODERS))}"
            )
        return profile.make(self.options)

    @property
    def availability(self) -> str | None:
        """Topic on which the meter says whether it is online; None when it never does."""
        if self.availability_topic is not None:
            return self.availability_topic
        return DECODERS[self.decoder].availability(self.topic)


@dataclass
class Meter:
    """One bound meter: its decoder and what must be remembered between messages."""

    binding: MeterBinding
    _decode: Decoder = field(init=False)
    _last: MeterSample | None = None
    _repeats: int = 0

    def __post_init__(self) -> None:
        self._decode = self.binding.make_decoder()

    @property
    def source(self) -> str:
        """Name of the meter in refusals."""
        return f"mqtt:{self.binding.node_id}"

    def read(self, topic: str, payload: bytes, now: Instant) -> NodeMetered | None:
        """What a message says of the node; None when it is part of a reading, or from a meter known to be stuck.

        Raises:
            PayloadRefused: the message is not believed. "stuck" is said once.
        """
        sample = self._decode(topic, payload)
        if sample is None:
            return None
        self._judge_time(sample, now)
        if self._is_stuck(sample):
            return None
        current_a, power_kw = through_node(sample, self.binding)
        return NodeMetered(at=now, node_id=self.binding.node_id, current_a=current_a, power_kw=power_kw)

    def reset(self) -> None:
        """The link broke or the meter went offline: half a reading is no reading."""
        if isinstance(self._decode, DsmrJoiner):
            self._decode.reset()

    def _judge_time(self, sample: MeterSample, now: Instant) -> None:
        if sample.measured_at is None:
            return
        age_s = (now.utc - sample.measured_at).total_seconds()
        if not age_s <= self.binding.stale_after_s:
            raise PayloadRefused("stale", f"measured {age_s:.0f} s ago")
        if not age_s >= -_FUTURE_TOLERANCE_S:
            raise PayloadRefused("from_the_future", f"measured {-age_s:.0f} s ahead of our clock")
        if (
            self._last is not None
            and self._last.measured_at is not None
            and sample.measured_at < self._last.measured_at
        ):
            raise PayloadRefused("out_of_order", f"older than the reading before it, {age_s:.0f} s")

    def _is_stuck(self, sample: MeterSample) -> bool:
        last, self._last = self._last, sample
        same = last is not None and replace(last, measured_at=None) == replace(sample, measured_at=None)
        self._repeats = self._repeats + 1 if same else 0
        if self.binding.stuck_after == 0 or self._repeats < self.binding.stuck_after:
            return False
        if self._repeats == self.binding.stuck_after:
            raise PayloadRefused("stuck", f"{self._repeats + 1} readings equal to the last digit")
        return True


def through_node(sample: MeterSample, binding: MeterBinding) -> tuple[PhaseCurrents, float]:
    """Current on each grid phase in A and total power in kW, import positive.

    Raises:
        PayloadRefused: a phase is missing, the values contradict each other, or exceed what the node can carry.
    """
    channels = [
        _channel_current(amperes, volts, kw)
        for amperes, volts, kw in zip(sample.current_a, sample.voltage_v, sample.power_kw, strict=True)
    ]
    if any(value is not None for value in channels):
        current_a = _on_phases(channels, binding.phases)
    else:
        current_a = _total_on_phases(sample, binding)
    if not max(abs(value) for value in current_a) <= binding.max_current_a:
        raise PayloadRefused("above_rating", f"{max(map(abs, current_a)):.0f} A, at most {binding.max_current_a:g} A")
    return current_a, _total_kw(sample, channels)


def _channel_current(amperes: float | None, volts: float | None, kw: float | None) -> float | None:
    """Signed current of one channel, the highest that its values allow; None when it reports none.

    While it exports, the active part is negative and the reactive part still loads the conductor.
    """
    if kw is None:
        return amperes
    voltage = volts if volts is not None and _is_plausible(volts) else NOMINAL_VOLTAGE_V
    active = kw * 1000.0 / voltage
    if amperes is None:
        return active
    if not abs(active) <= amperes * _POWER_TOLERANCE + _CURRENT_RESOLUTION_A:
        raise PayloadRefused("inconsistent", f"{kw:.3f} kW cannot come from {amperes:g} A at {voltage:g} V")
    if active >= 0:
        return max(amperes, active)
    return active + math.sqrt(max(0.0, amperes**2 - active**2))


def _is_plausible(volts: float) -> bool:
    low, high = _PLAUSIBLE_VOLTAGE_V
    return low <= volts <= high


def _on_phases(channels: list[float | None], phases: tuple[Phase, ...] | None) -> PhaseCurrents:
    present = [value for value in channels if value is not None]
    if phases is None:
        highest = max(present) if len(present) == len(ALL_PHASES) else max(0.0, *present)
        return (highest, highest, highest)
    currents = [0.0, 0.0, 0.0]
    for index, value in enumerate(channels):
        if index < len(phases):
            if value is None:
                raise PayloadRefused("phase_missing", f"nothing of channel {'abc'[index]}")
            currents[phases[index]] = value
        elif value:
            raise PayloadRefused("phase_unassigned", f"channel {'abc'[index]} carries {value:g} A on no named phase")
    return (currents[0], currents[1], currents[2])


def _total_on_phases(sample: MeterSample, binding: MeterBinding) -> PhaseCurrents:
    """A single total: on its one phase, evenly where the load is known to be balanced, else all of it on each phase."""
    if sample.total_power_kw is None:
        raise PayloadRefused("no_measurement", "neither a current nor a power")
    amperes = sample.total_power_kw * 1000.0 / NOMINAL_VOLTAGE_V
    phases = binding.phases or ALL_PHASES
    if binding.balanced:
        amperes /= len(phases)
    elif len(phases) > 1:
        amperes = max(0.0, amperes)
    currents = [0.0, 0.0, 0.0]
    for phase in phases:
        currents[phase] = amperes
    return (currents[0], currents[1], currents[2])


def _total_kw(sample: MeterSample, channels: list[float | None]) -> float:
    if sample.total_power_kw is not None:
        return sample.total_power_kw
    total = 0.0
    for kw, amperes in zip(sample.power_kw, channels, strict=True):
        total += kw if kw is not None else (amperes or 0.0) * NOMINAL_VOLTAGE_V / 1000.0
    return total
