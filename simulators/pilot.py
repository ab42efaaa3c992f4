"""The control and proximity pilots of IEC 61851-1: what a charger says by its duty cycle, and what a cable bears.

Pure. The duty cycle is in percent; currents are per phase.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from twin_core.models.quantities import MINIMUM_CURRENT_A

LARGEST_CURRENT_A = 80.0
"""The most a duty cycle can offer."""
DIGITAL_DUTY = 5.0
"""Duty cycle that says: the current is told by digital communication (ISO 15118)."""
_LINEAR_UP_TO_A = 51.0
_DIGITS = 9
"""A current that goes through a duty cycle and back is itself again, to a nanoampere."""


class PilotState(StrEnum):
    """Vehicle interface states of IEC 61851-1."""

    NO_VEHICLE = "A"
    CONNECTED = "B"
    CHARGING = "C"
    VENTILATION = "D"
    NO_PILOT = "E"
    FAULT = "F"


class PilotFault(StrEnum):
    """What can be wrong at a connector; each of them opens its contactor."""

    SHORT = "short"
    """The pilot is shorted to earth."""
    DIODE = "diode"
    """The vehicle's diode is missing: the negative amplitude is not -12 V."""
    CABLE = "cable"
    """The proximity pilot shows no cable that the standard knows."""
    UNAVAILABLE = "unavailable"
    """The charger itself has a fault and holds the pilot at -12 V."""
    GROUND = "ground"
    """Its residual current device has tripped."""
    HEAT = "heat"
    """It is too hot inside."""
    EMERGENCY = "emergency"
    """Its emergency stop is pressed."""

    @property
    def state(self) -> PilotState:
        """State that the pilot shows with this fault."""
        return PilotState.NO_PILOT if self is PilotFault.SHORT else PilotState.FAULT

    @property
    def error_code(self) -> str:
        """What StatusNotification calls it, OCPP 1.6 §7.6."""
        return _ERROR_CODES.get(self, "EVCommunicationError")


_ERROR_CODES: Final[dict[PilotFault, str]] = {
    PilotFault.UNAVAILABLE: "InternalError",
    PilotFault.GROUND: "GroundFailure",
    PilotFault.HEAT: "HighTemperature",
    PilotFault.EMERGENCY: "OtherError",
}


class Cable(IntEnum):
    """Rating of a cable in A, as its proximity resistor codes it."""

    A13 = 13
    A20 = 20
    A32 = 32
    A63 = 63

    @property
    def resistance_ohm(self) -> float:
        """Nominal resistance between proximity pilot and earth."""
        return _RESISTORS[self][0]


_RESISTORS: Final[dict[Cable, tuple[float, float, float]]] = {
    Cable.A13: (1500.0, 1100.0, 2460.0),
    Cable.A20: (680.0, 400.0, 936.0),
    Cable.A32: (220.0, 164.0, 308.0),
    Cable.A63: (100.0, 80.0, 140.0),
}
"""Nominal resistance, and the range a charger must read as this rating."""


def cable_of(resistance_ohm: float) -> Cable | None:
    """The cable that a resistance stands for; None outside every range, where no current may flow."""
    for cable, (_, least, most) in _RESISTORS.items():
        if least <= resistance_ohm <= most:
            return cable
    return None


def duty_of(current_a: float) -> float | None:
    """Duty cycle by which a charger offers a current; None below 6 A, where it holds the pilot steady (no PWM).

    More than 80 A is offered as 80 A.
    """
    if not current_a >= MINIMUM_CURRENT_A:
        return None
    if current_a <= _LINEAR_UP_TO_A:
        return current_a / 0.6
    return min(current_a, LARGEST_CURRENT_A) / 2.5 + 64.0


def offered_by(duty: float | None) -> float:
    """Current a vehicle may draw at a duty cycle; 0 for a steady pilot, a forbidden duty, or one that says: ask me."""
    if duty is None or not 8.0 <= duty <= 97.0:
        return 0.0
    if duty < 10.0:
        return MINIMUM_CURRENT_A
    if duty <= 85.0:
        return round(duty * 0.6, _DIGITS)
    return round((duty - 64.0) * 2.5, _DIGITS) if duty <= 96.0 else LARGEST_CURRENT_A


def asks_digitally(duty: float | None) -> bool:
    """Whether a duty cycle says that the current is told by digital communication."""
    return duty is not None and 3.0 <= duty <= 7.0
