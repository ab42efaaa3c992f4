"""How one charge point is built, as far as its maker chose: what stands in no standard and in no site file."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.sharing import Sharing


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
    """

    sharing: Sharing = Sharing.EQUAL
    ventilated: bool = False
    wakes_after_s: float | None = None
    switches_phases: bool = False
    meter_error: float = 0.0
