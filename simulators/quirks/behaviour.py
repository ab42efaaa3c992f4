"""What a quirk may do at a charge point: every hook leaves things as they are unless a quirk says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from simulators.controller import Controller
    from simulators.station import Outlet, Station

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opening:
    """How a charge point opens its WebSocket.

    Attributes:
        subprotocols: offered, in this order; empty to offer none.
        compression: whether permessage-deflate is offered.
    """

    url: str
    subprotocols: tuple[str, ...] = ("ocpp1.6",)
    compression: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a quirk answers to a request by itself: the charge point proper never sees that request."""

    payload: Payload


class Line(Protocol):
    """A link as a quirk sees it."""

    @property
    def controller(self) -> Controller:
        """The charge point's mind."""

    def emit(self, frame: str) -> None:
        """Send a frame as it is, soon."""

    def say(self, action: str, payload: Payload) -> None:
        """Send a request beside those of the charge point; its answer is dropped."""

    def take(self, action: str, payload: Payload) -> None:
        """Let the charge point have a request of the central system; its answer is dropped."""

    def settle(self, unique_id: str, payload: Payload) -> None:
        """Let the charge point have an answer to one of its own requests."""

    def cut(self) -> None:
        """End the link without a word."""

    def stop_pongs(self) -> None:
        """Answer no ping of this link any more."""

    def freeze(self) -> None:
        """Neither read nor answer anything more, as when the network between is gone."""

    def leave(self) -> None:
        """Let the charge point take the link for lost, while its socket stays as it is."""

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something after a while, if the link is then still up."""


class Behaviour:
    """One departure from the standard at one charge point; an object of its own for each."""

    def opening(self, opening: Opening) -> Opening:
        """How the next link is opened.

        Raises:
            OSError: it is not opened at all this time.
        """
        return opening

    def opened(self, line: Line) -> None:
        """A link has just been opened."""

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        """A request of the central system as it reaches the charge point; None when it never does."""
        return payload

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        """The charge point's answer to it, as it goes out; None when it never does."""
        return payload

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        """A request of the charge point as it goes out; None when it never does."""
        return payload

    def told(self, action: str, payload: Payload, line: Line) -> Payload | None:
        """The central system's answer to it, as it reaches the charge point; None when it never does."""
        return payload

    def frames(self, frame: str, line: Line) -> Iterable[str | list[str]]:
        """What goes onto the wire in place of a frame; a list is sent in fragments."""
        return (frame,)

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        """Current an outlet with a transaction offers, where by its profiles it would offer `limit_a`."""
        return limit_a


@dataclass(frozen=True, slots=True)
class Quirk:
    """An entry of the catalogue.

    Attributes:
        id: as in the field notes, such as Q14.
        name: for scenario files.
        what: what such a charger does.
        response: what the gateway does about it.
        source: where it was met, as project#issue.
        fields: of `Quirks`, that it sets.
        behaviour: makes what it does beside; None where the fields say all.
    """

    id: str
    name: str
    what: str
    response: str
    source: str
    fields: tuple[tuple[str, Any], ...] = ()
    behaviour: Callable[[], Behaviour] | None = None
