"""How one charge point is built, as far as its maker chose: what stands in no standard and in no site file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from simulators.sharing import Sharing


class Rotation(StrEnum):
    """How three phases may be turned, as ConnectorPhaseRotation of OCPP 1.6 §9.1.7 names it."""

    RST = "RST"
    RTS = "RTS"
    SRT = "SRT"
    STR = "STR"
    TRS = "TRS"
    TSR = "TSR"

    @property
    def order(self) -> tuple[int, ...]:
        """Which of the three each of one's own is, from 0."""
        return tuple("RST".index(letter) for letter in self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Choices of a maker; the defaults are those of a plain wallbox.

    Attributes:
        sharing: how its connectors divide one supply.
        ventilated: its place is ventilated, so a vehicle that asks for ventilation (state D) gets power.
        wakes_after_s: when a vehicle does not take what is offered for so long, its pilot is interrupted to wake it;
            None for a charger that never does.
        switches_phases: it can go over to one phase and back while a vehicle is plugged in.
        meter_error: relative error of its meter; class B of EN 50470 allows 0.01.
        digital: it speaks ISO 15118 with vehicles that do, and tries to with every one.
        rotation: for each connector, which of the supply's R, S and T its own L1, L2, L3 are wired to, such as STR;
            those beyond the end, and those of fewer than three phases, are not turned.
        failing_resets: so many attempts at a restart fail before one succeeds.
        failing_firmware: what every update fails in.
        failing_uploads: no diagnostics or log can be uploaded.
    """

    sharing: Sharing = Sharing.EQUAL
    ventilated: bool = False
    wakes_after_s: float | None = None
    switches_phases: bool = False
    meter_error: float = 0.0
    digital: bool = False
    rotation: tuple[Rotation, ...] = ()
    failing_resets: int = 0
    failing_firmware: Literal["", "download", "install"] = ""
    failing_uploads: bool = False
