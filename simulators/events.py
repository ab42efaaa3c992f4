"""What a scenario may let happen to a charge point at a moment: `[[scenario.events]]`, a table for each kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulators.pilot import PilotFault

Minute = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ConnectorNumber = Annotated[int, Field(ge=1)]
ShownTag = Annotated[str, Field(min_length=1, max_length=20)]
"""As long as OCPP 1.6 lets a tag be."""


class _Event(BaseModel):
    """Something that happens to a charger.

    Attributes:
        charger: whom it befalls.
        at_min: minutes after the start of the run at which it begins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    charger: str
    at_min: Minute


class _Lasting(_Event):
    """Something that lasts.

    Attributes:
        until_min: minutes after the start of the run at which it is over; to the end of the run when left out.
    """

    until_min: Minute | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> _Lasting:
        if self.until_min is not None and not self.until_min > self.at_min:
            raise ValueError(f"until_min = {self.until_min:g} must be after at_min = {self.at_min:g}")
        return self


class Fault(_Lasting):
    """Something is wrong at a connector: nothing flows, and its status is Faulted."""

    what: Literal["fault"]
    connector: ConnectorNumber
    fault: PilotFault


class EmergencyStop(_Lasting):
    """The emergency stop is pressed until it is released: every transaction ends, and every connector is faulted."""

    what: Literal["emergency-stop"]


class PowerLoss(_Lasting):
    """The charger has no power."""

    what: Literal["power-loss"]


class Offline(_Lasting):
    """The charger has no network, and charges on."""

    what: Literal["offline"]


class Unplugged(_Lasting):
    """Somebody unplugs the cable at the vehicle, and plugs it in again when it is over, if the vehicle is to stay."""

    what: Literal["unplugged"]
    connector: ConnectorNumber


class Swipe(_Event):
    """A driver shows a tag, to start a transaction or to stop it."""

    what: Literal["swipe"]
    connector: ConnectorNumber
    id_tag: ShownTag


class Restart(_Event):
    """The charger restarts by itself, as a watchdog would have it."""

    what: Literal["restart"]


Event = Annotated[
    Fault | EmergencyStop | PowerLoss | Offline | Unplugged | Swipe | Restart, Field(discriminator="what")
]


def place(event: Event) -> tuple[str, int | None]:
    """Charger and connector that an event befalls; None for the whole charger."""
    match event:
        case Fault() | Unplugged() | Swipe():
            return event.charger, event.connector
        case EmergencyStop() | PowerLoss() | Offline() | Restart():
            return event.charger, None


def clashes(events: tuple[Event, ...]) -> list[str]:
    """Events of one kind and place that begin before the one before is over: nobody could say what they mean."""
    found = []
    lasting = sorted((e for e in events if isinstance(e, _Lasting)), key=lambda event: event.at_min)
    open_until: dict[tuple[str, str, int | None], float] = {}
    for event in lasting:
        key = (event.what, *place(event))
        if event.at_min < open_until.get(key, 0.0):
            found.append(
                f"{event.what} of {event.charger} at_min = {event.at_min:g} begins before the last one is over"
            )
        open_until[key] = float("inf") if event.until_min is None else event.until_min
    return found
