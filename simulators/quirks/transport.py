"""T: how charge points open their links, keep them and lose them."""

# ruff: noqa: D102 -- the hooks are described where they are declared, in `Behaviour`; what each quirk does, at its class

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from urllib.parse import quote, urlsplit

from simulators.quirks.behaviour import Behaviour, Line, Opening, Payload, Quirk, Reply


class Subprotocols(Behaviour):
    """Offers subprotocols under names of its own, or none."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def opening(self, opening: Opening) -> Opening:
        return replace(opening, subprotocols=self._names)


class OddPath(Behaviour):
    """Writes its URL in a way of its own."""

    def __init__(self, change: Callable[[str, str], str]) -> None:
        self._change = change

    def opening(self, opening: Opening) -> Opening:
        head, _, identity = opening.url.rpartition("/")
        return replace(opening, url=self._change(head, identity))


class NoUpgradeFirst(Behaviour):
    """Its first request lacks the header `Connection: Upgrade`."""

    def __init__(self) -> None:
        self.status = ""
        self._asking: asyncio.Task[None] | None = None

    def opening(self, opening: Opening) -> Opening:
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask(opening.url), name="no upgrade")
        if not self._asking.done():
            raise OSError("the first request has had no answer yet")
        return opening

    async def _ask(self, url: str) -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.status = (await reader.readline()).decode().strip()
        writer.close()


class HalfOpen(Behaviour):
    """After two minutes its old link hangs half open, and it dials anew."""

    def __init__(self) -> None:
        self.links = 0

    def opened(self, line: Line) -> None:
        self.links += 1
        if self.links == 1:
            line.later(120.0, line.freeze)
            line.later(121.0, line.leave)


class NoPong(Behaviour):
    """Answers no ping."""

    def __init__(self) -> None:
        self.links = 0

    def opened(self, line: Line) -> None:
        self.links += 1
        line.stop_pongs()


class DeafUntilReconnect(Behaviour):
    """From its first minute on it answers nothing, while its heartbeats go on, until it is cut off."""

    def __init__(self) -> None:
        self._links = 0
        self._deaf = False

    def opened(self, line: Line) -> None:
        self._links += 1
        self._deaf = False
        if self._links == 1:
            line.later(60.0, self._fall_deaf)

    def _fall_deaf(self) -> None:
        self._deaf = True

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        return None if self._deaf else payload


class Flaps(Behaviour):
    """Loses its link every fifteen seconds."""

    def opened(self, line: Line) -> None:
        line.later(15.0, line.cut)


class StaysAway(Behaviour):
    """Drops its link after two minutes, once, and does not dial for ten."""

    away_s = 600.0

    def __init__(self) -> None:
        self._back_s: float | None = None

    def opened(self, line: Line) -> None:
        if self._back_s is None:
            line.later(120.0, lambda: self._leave(line))

    def _leave(self, line: Line) -> None:
        self._back_s = asyncio.get_running_loop().time() + self.away_s
        line.cut()

    def opening(self, opening: Opening) -> Opening:
        if self._back_s is not None and asyncio.get_running_loop().time() < self._back_s:
            raise OSError("it does not dial yet")
        return opening


class OffersCompression(Behaviour):
    """Offers permessage-deflate."""

    def opening(self, opening: Opening) -> Opening:
        return replace(opening, compression=True)


class TornAnswer(Behaviour):
    """Its answer to GetConfiguration breaks off in the middle."""

    def frames(self, frame: str, line: Line) -> Iterable[str | list[str]]:
        return (frame[: len(frame) // 2],) if frame.startswith("[3") and "configurationKey" in frame else (frame,)


class Fragments(Behaviour):
    """Sends every frame in pieces of forty characters."""

    def frames(self, frame: str, line: Line) -> Iterable[str | list[str]]:
        return ([frame[i : i + 40] for i in range(0, len(frame), 40)],)


class HugeAnswer(Behaviour):
    """Answers GetConfiguration with seventy thousand characters."""

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        if action != "GetConfiguration":
            return payload
        filling = [{"key": f"Vendor.Key{n}", "readonly": True, "value": "x" * 480} for n in range(140)]
        return {**payload, "configurationKey": [*payload["configurationKey"], *filling]}


_ANY_NAME = "taken as OCPP 1.6, in the charger's own spelling"
_PATHS = (
    ("percent", "percent-encoded", lambda head, identity: f"{head}/%{ord(identity[0]):02X}{quote(identity[1:])}"),
    ("slashes", "after three slashes", lambda head, identity: f"{head}///{identity}"),
    ("trailing-slash", "before another slash", lambda head, identity: f"{head}/{identity}/"),
    ("query", "before a query", lambda head, identity: f"{head}/{identity}?token=1&x=a/b"),
)

TRANSPORT_QUIRKS = (
    Quirk(
        "T1",
        "no-subprotocol",
        "no subprotocol is offered",
        "taken as OCPP 1.6",
        "lbbrhzn#442, steve#135, steve#1109, OCPP.Core#43",
        behaviour=Subprotocols,
    ),
    *(
        Quirk(
            "T2",
            f"subprotocol-{name}",
            f"the subprotocol is offered as {' and '.join(offered)}",
            _ANY_NAME,
            "–",
            behaviour=partial(Subprotocols, *offered),
        )
        for name, offered in (
            ("capitals", ("OCPP1.6",)),
            ("j", ("ocpp1.6j",)),
            ("list", ("ocpp1.5", "ocpp1.6")),
        )
    ),
    *(
        Quirk(
            "T3",
            f"path-{name}",
            f"the identity stands {said} in the path",
            "the last segment that is not empty, decoded, is the identity; a hidden slash is refused",
            "citrineos-core#1093, ocpp-2w-proxy#4, ocpp-2w-proxy#6, sap ev-server#751",
            behaviour=partial(OddPath, change),
        )
        for name, said, change in _PATHS
    ),
    Quirk(
        "T4",
        "no-upgrade",
        "the first request lacks `Connection: Upgrade`",
        "answered with 426 and counted; the next request is served",
        "lbbrhzn#1984",
        behaviour=NoUpgradeFirst,
    ),
    Quirk(
        "T5",
        "half-open",
        "a new link is opened while the old one hangs half open",
        "the old one answers no ping within 2 s, so the newer one takes its place; grants stay counted",
        "ocpp-go#314, ocpp-go#376, ocpp-go#358, lbbrhzn#2122, ts-ocpp#19, steve#4, steve#357, OpenEMS#2908",
        behaviour=HalfOpen,
    ),
    Quirk(
        "T6",
        "no-pong",
        "pings are not answered",
        "any frame is a sign of life; one that never answered a ping has three heartbeats' time",
        "lbbrhzn#140, mobilityhouse#190, mobilityhouse#338, mobilityhouse#626, evcc#33099, ocpp-go#44",
        behaviour=NoPong,
    ),
    Quirk(
        "T7",
        "deaf-until-reconnect",
        "heartbeats go on, but no request is answered until the link is renewed",
        "three unanswered requests in a row end the link",
        "mobilityhouse#338, mobilityhouse#626",
        behaviour=DeafUntilReconnect,
    ),
    Quirk(
        "T7",
        "silent",
        "from the second minute on no request is answered, on any link",
        "as above; what was granted counts until its lease ends",
        "mobilityhouse#338",
        (("silent_from_s", 60.0),),
    ),
    Quirk(
        "T7",
        "answers-late",
        "every answer takes eight seconds",
        "awaited; an answer that comes after the wait still counts",
        "mobilityhouse#338",
        (("answer_delay_s", 8.0),),
    ),
    Quirk(
        "T8",
        "flaps",
        "the link is lost every fifteen seconds, boot and all",
        "each is told a heartbeat interval of its own within a tenth; the others' setpoints go on",
        "evcc cp_core.go, evcc#30113",
        behaviour=Flaps,
    ),
    Quirk(
        "T9",
        "stays-away",
        "after a drop ten minutes pass until the next dial",
        "what it may draw stays counted: its grants until their leases end, then its fallback",
        "lbbrhzn docs FoxESS",
        behaviour=StaysAway,
    ),
    Quirk(
        "T10",
        "offers-compression",
        "permessage-deflate is offered",
        "declined",
        "ocpp-go#358, libocpp#528",
        behaviour=OffersCompression,
    ),
    Quirk(
        "T11",
        "torn-answer",
        "the answer to GetConfiguration breaks off",
        "a failed call at once, told by the id at its beginning",
        "lbbrhzn#176",
        behaviour=TornAnswer,
    ),
    Quirk(
        "T11",
        "fragments",
        "every frame comes in fragments",
        "put together again",
        "open-ocpp#104",
        behaviour=Fragments,
    ),
    Quirk(
        "T11",
        "huge-answer",
        "the answer to GetConfiguration has 70 kB",
        "more than 64 KiB ends the link; a step that cost two links is left out",
        "open-ocpp#104",
        behaviour=HugeAnswer,
    ),
)
