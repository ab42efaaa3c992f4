"""A connector's energy register put right where it cannot be what it says. Pure.

Three things are met in the field: kWh labelled Wh, a register that counts from the begin of the transaction while
meterStart does not, and readings of 0 in between. A register only rises, and no faster than what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

_ENOUGH_KWH = 0.05
"""Energy by measured power after which the register's pace is judged."""
_PACES = (1000.0, 0.001)
_TOLERANCE = 1.5
_REPLACED_AFTER = 20
"""Lower readings in a row after which the register is believed to be another one."""


@dataclass(slots=True)
class Register:
    """One connector's register.

    Attributes:
        scale: what readings are multiplied by.
        offset_kwh: what is added, for one that counts from the begin of the transaction.
    """

    scale: float = 1.0
    offset_kwh: float = 0.0
    _start_kwh: float | None = None
    _last_kwh: float | None = None
    _power: tuple[float, float] | None = None
    _paced_from_kwh: float | None = None
    _by_power_kwh: float = 0.0
    _lower: int = 0

    def begin(self, meter_start_kwh: float) -> None:
        """A transaction begins at this reading."""
        self._start_kwh = meter_start_kwh
        self.offset_kwh = 0.0
        self._last_kwh, self._paced_from_kwh, self._by_power_kwh, self._lower = None, None, 0.0, 0

    def repaired(self, reading_kwh: float, power_kw: float | None, now_s: float) -> float | None:
        """The reading as it is to be understood; None where it cannot be believed.

        Args:
            reading_kwh: as reported.
            power_kw: measured in the same moment, where it was.
            now_s: on the gateway's own clock.
        """
        self._note_power(power_kw, now_s)
        if self._is_a_drop(reading_kwh):
            return None
        self._judge_pace(reading_kwh)
        self._last_kwh = reading_kwh
        return reading_kwh * self.scale + self._anchored(reading_kwh * self.scale)

    def _note_power(self, power_kw: float | None, now_s: float) -> None:
        if self._power is not None:
            before_kw, then_s = self._power
            self._by_power_kwh += before_kw * max(0.0, now_s - then_s) / 3600.0
        if power_kw is not None:
            self._power = (power_kw, now_s)

    def _is_a_drop(self, reading_kwh: float) -> bool:
        if self._last_kwh is None or reading_kwh >= self._last_kwh:
            self._lower = 0
            return False
        self._lower += 1
        if self._lower < _REPLACED_AFTER:
            return True
        self._last_kwh, self._paced_from_kwh, self._by_power_kwh = None, None, 0.0
        return False

    def _judge_pace(self, reading_kwh: float) -> None:
        if self._paced_from_kwh is None:
            self._paced_from_kwh, self._by_power_kwh = reading_kwh, 0.0
            return
        if self._by_power_kwh < _ENOUGH_KWH:
            return
        gained = reading_kwh - self._paced_from_kwh
        for scale in (1.0, *_PACES):
            if self._by_power_kwh / _TOLERANCE <= gained * scale <= self._by_power_kwh * _TOLERANCE:
                if scale != self.scale:
                    self.scale, self.offset_kwh = scale, 0.0
                break
        self._paced_from_kwh, self._by_power_kwh = reading_kwh, 0.0

    def _anchored(self, scaled_kwh: float) -> float:
        """What to add so that the transaction began at its meterStart."""
        if self._start_kwh is not None and scaled_kwh + self.offset_kwh < self._start_kwh - 0.01:
            self.offset_kwh = self._start_kwh - (0.0 if scaled_kwh < 1.0 else scaled_kwh)
        return self.offset_kwh
