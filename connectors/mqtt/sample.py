"""What a meter said in one message, before anybody decides what it means for the site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from twin_core.errors import ProtocolError

PerPhase = tuple[float | None, float | None, float | None]
"""A value for each of the meter's own channels a, b, c; None is "not reported", never zero."""

NOT_REPORTED: PerPhase = (None, None, None)


class PayloadRefused(ProtocolError):  # noqa: N818 - it names an outcome, like the other refusals of the house
    """A payload is not believed.

    Attributes:
        cause: one of a small set of short names, fit for counting.
        detail: what exactly was wrong.
    """

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause = cause
        self.detail = detail


@dataclass(frozen=True, slots=True)
class MeterSample:
    """One reading of a meter; import is positive.

    Attributes:
        current_a: magnitude of the current in each channel, >= 0; its direction is the sign of the power.
        voltage_v: line to neutral of each channel.
        power_kw: active power of each channel, export negative.
        total_power_kw: active power of all channels together, export negative.
        measured_at: when the meter says it measured; None when it does not say.
    """

    current_a: PerPhase = NOT_REPORTED
    voltage_v: PerPhase = NOT_REPORTED
    power_kw: PerPhase = NOT_REPORTED
    total_power_kw: float | None = None
    measured_at: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """True when neither a current nor a power was reported."""
        values = (*self.current_a, *self.power_kw, self.total_power_kw)
        return all(value is None for value in values)
