"""One charger's link, from its first frame to its last.

The read loop never waits for a handler that waits for a disk or for the charger itself, so that answers to our own
CALLs get through at any moment. No frame can end it; only the link's end does.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from connectors.ocpp.actuation import Actuation
from connectors.ocpp.bookkeeping import LOOK_EVERY_S, Bookkeeping
from connectors.ocpp.calls import Answered, CallOutcome, CallTable, Errored
from connectors.ocpp.charger import Charger
from connectors.ocpp.clipping import Clipping
from connectors.ocpp.commissioning import Commissioning, await_boot
from connectors.ocpp.flag import Flag
from connectors.ocpp.frames import (
    Call,
    CallError,
    CallResult,
    FrameError,
    Payload,
    decode,
    encode_error,
    encode_result,
)
from connectors.ocpp.incoming.answering import Durable, Inline
from connectors.ocpp.incoming.newcomer import after_room
from connectors.ocpp.routing import HANDLERS, OUTGOING
from connectors.ocpp.schemas import check_call, check_result, note_flaws
from twin_core.errors import ProtocolError, StorageError
from twin_core.models.events import ChargerConnected, ChargerDisconnected
from twin_core.models.grant import Grant
from twin_core.models.quantities import Instant

logger = logging.getLogger(__name__)

MAX_DURABLE_WAITING = 64
"""Transaction messages of one charger that wait for the disk; the standard allows it one at a time."""

CLOSE_SILENT = 4008
CLOSE_DUPLICATE = 4009

_UNREADABLE: Mapping[int, str] = {
    CloseCode.PROTOCOL_ERROR: "frame-not-websocket",
    CloseCode.MESSAGE_TOO_BIG: "frame-too-big",
}
"""What WebSocket ends a link for by itself, as a cause in the counters."""


class _LinkEndedError(Exception):
    """Ends the session's tasks once its link has ended."""


class TokenBucket:
    """Pace of reading: `burst` messages at once, then `rate_per_s`."""

    def __init__(self, rate_per_s: float, burst: int, now_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._then_s = now_s

    def take(self, now_s: float) -> float:
        """Take one token; returns how long to wait for it in seconds, 0 mostly."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._then_s) * self._rate_per_s) - 1.0
        self._then_s = now_s
        return 0.0 if self._tokens >= 0.0 else -self._tokens / self._rate_per_s


class Session:
    """A charger's link and the tasks that serve it."""

    def __init__(
        self,
        charger: Charger,
        link: ServerConnection,
        routes: Mapping[str, Inline | Durable] = HANDLERS,
        books_written: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            charger: whose link it is.
            link: its socket.
            routes: what answers its messages.
            books_written: told when the books may hold transactions that the charger did not state itself.
        """
        settings = charger.settings
        self.charger = charger
        self._link = link
        self._routes = routes
        self._books_written = books_written or _nobody
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(settings.messages_per_s, settings.message_burst, self._loop.time())
        self._tasks = asyncio.TaskGroup()
        self._durable: list[tuple[Durable, Call, Instant]] = []
        self._writer: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._finished = False
        self._askable = Flag()
        self._stirred = Flag()
        self._calls = CallTable(
            self._send,
            charger.counters,
            timeout_s=settings.call_timeout_s,
            yields_after_s=settings.call_yields_after_s,
            turns=charger.around.turns,
            on_silence=self._on_silence,
        )
        self._actuation = Actuation(charger, self._calls)

    def offer(self, grant: Grant) -> None:
        """Send a grant as soon as the charger's line is free."""
        self._stirred.set()
        self._actuation.offer(grant)

    async def call(self, action: str, payload: Payload, timeout_s: float = 0.0) -> CallOutcome:
        """Ask the charger something, once it may be asked at all; see `CallTable.call`."""
        check_call(action, payload)
        await self._askable.wait()
        return await self._calls.call(action, payload, timeout_s)

    async def alive(self, timeout_s: float) -> bool:
        """Whether the charger gives a sign of life, a pong or any frame, within `timeout_s`."""
        before = self.charger.counters.frames_in
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._link.ping())
                self.charger.memory.pongs = True
                return True
        except TimeoutError:
            return self.charger.counters.frames_in != before
        except ConnectionClosed:
            return False

    def ask_cut(self, code: int, reason: str) -> None:
        """Close the link soon, with a closing handshake that may take `close_timeout_s`."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._link.close(code, reason), name=f"ocpp {self.charger.spec.id} cut")

    def finish(self, reason: str) -> None:
        """Settle everything that depended on the link, at once; later calls do nothing."""
        if self._finished:
            return
        self._finished = True
        self._calls.lose()
        self._askable.set()
        self._actuation.end()
        self.charger.tell_learned()
        now = self.charger.around.clock.now()
        self.charger.emit(ChargerDisconnected(at=now, charger_id=self.charger.spec.id, reason=reason))
        logger.info("charger disconnected", extra={"charger": self.charger.spec.id, "reason": reason})

    async def run(self, remote: str) -> None:
        """Serve the charger until its link ends."""
        now = self.charger.around.clock.now()
        self.charger.counters.connections += 1
        self.charger.emit(ChargerConnected(at=now, charger_id=self.charger.spec.id, remote=remote))
        logger.info("charger connected", extra={"charger": self.charger.spec.id, "remote": remote})
        reason = "cancelled"
        try:
            await self._recall_transactions()
            async with self._tasks:
                for work in (self._commission, self._actuation.run, self._watch, self._keep_books):
                    self._start(work)
                await self._read()
        except* _LinkEndedError as ended:
            reason = str(ended.exceptions[0])
        finally:
            self.finish(reason)
            if self._writing is not None:
                await self._writing

    def _start(self, work: Callable[[], Coroutine[None, None, None]]) -> asyncio.Task[None]:
        return self._tasks.create_task(work(), name=f"ocpp {self.charger.spec.id} {work.__name__}")

    async def _recall_transactions(self) -> None:
        """Learn which transactions run already: the charger, or the gateway, may have been away."""
        try:
            found = await self.charger.around.ledger.open_transactions(self.charger.spec.id)
            for connector, transaction in found.items():
                self.charger.transactions.setdefault(connector.number, transaction)
                # What it was told before may have been a pause.
                self.charger.in_force.setdefault(connector.number, (0.0, self.charger.around.clock.now().monotonic_s))
            await self._books_written()
        except StorageError as exc:
            self.charger.refuse("storage", str(exc))

    async def _read(self) -> None:
        counters, clock = self.charger.counters, self.charger.around.clock
        while True:
            try:
                data = await self._link.recv(decode=False)
                counters.frames_in += 1
                self._stirred.set()
                at = clock.now()
                wait_s = self._bucket.take(self._loop.time())
                if wait_s > 0.0:
                    self.charger.refuse("flood", "messages are read no faster than allowed")
                    await asyncio.sleep(wait_s)
                try:
                    frame = decode(data)
                except FrameError as error:
                    await self._refuse_frame(error)
                else:
                    if frame.sloppy:
                        counters.flawed["frame"] += 1
                    await self._dispatch(frame, at)
            except ConnectionClosed as closed:
                if (cause := _frame_that_ended(closed)) is not None:
                    self.charger.refuse(cause, _words(closed))
                await self.charger.around.turns.mine()  # a switch that dies takes a thousand links along
                raise _LinkEndedError(_words(closed)) from closed

    async def _dispatch(self, frame: Call | CallResult | CallError, at: Instant) -> None:
        match frame:
            case Call():
                await self._on_call(frame, at)
            case CallResult(unique_id, payload):
                self._settle(unique_id, Answered(payload))
            case CallError(unique_id, code, description):
                self.charger.counters.note_error(code)
                self._settle(unique_id, Errored(code, description))

    def _settle(self, unique_id: str, outcome: CallOutcome) -> None:
        if not self._calls.settle(unique_id, outcome):
            self.charger.refuse("unsolicited-answer", f"unique id {unique_id[:40]}")

    async def _on_call(self, call: Call, at: Instant) -> None:
        route = self._routes.get(call.action)
        if route is not None:
            note_flaws(call.action, call.payload, self.charger.counters.flawed)
            if call.action == "Authorize" and not self.charger.memory.proven:
                route = after_room(route)
        match route:
            case Inline(handle):
                await self._answer(call, handle(self.charger, call.payload, at))
            case Durable():
                if len(self._durable) >= MAX_DURABLE_WAITING:
                    self.charger.refuse("too-many-transactions", call.action)
                    await self._error(call, "InternalError", "too many transaction messages wait for an answer")
                    return
                self._durable.append((route, call, at))
                # A task only while there is something to write: most chargers idle most of the time.
                if self._writer is None or self._writer.done():
                    self._writer = self._start(self._write_durable)
            case None:
                known = call.action in OUTGOING
                self.charger.refuse("unsupported-action" if known else "unknown-action", call.action)
                code = "NotSupported" if known else "NotImplemented"
                await self._error(call, code, "this central system does not answer that action")

    async def _answer(self, call: Call, payload: Payload) -> None:
        try:
            check_result(call.action, payload)
        except ProtocolError as exc:
            logger.exception("answer broke its schema", extra={"action": call.action})
            await self._error(call, "InternalError", str(exc))
            return
        await self._send(encode_result(call.unique_id, payload))
        if call.action == "BootNotification":
            self.charger.boot_answered.set()

    async def _error(self, call: Call, code: str, description: str) -> None:
        await self._send(encode_error(call.unique_id, code, description))

    async def _refuse_frame(self, error: FrameError) -> None:
        self.charger.refuse(error.cause, error.detail)
        if error.answers is not None:
            self._calls.settle(error.answers, Errored("FormationViolation", error.detail))
        elif error.reply_to is not None:
            await self._send(encode_error(error.reply_to, "FormationViolation", error.detail))

    async def _send(self, data: bytes) -> None:
        await self._link.send(data, text=True)
        self.charger.counters.frames_out += 1

    async def _write_durable(self) -> None:
        """Answer transaction messages, in order, once they are on disk."""
        while self._durable:
            route, call, at = self._durable.pop(0)
            self._writing = asyncio.create_task(self._write(route, call, at))
            # The link may end while the disk works: what is then written is still a fact, and told as one.
            await asyncio.shield(self._writing)

    async def _write(self, route: Durable, call: Call, at: Instant) -> None:
        try:
            written = await route.handle(self.charger, call.payload, at)
        except StorageError as exc:
            # No CALLRESULT: the charger keeps the fact and says it again.
            self.charger.refuse("storage", str(exc))
            with suppress(ConnectionClosed):
                await self._error(call, "InternalError", "could not be stored; please send it again")
            return
        try:
            await self._answer(call, written.answer)
        except ConnectionClosed:
            pass  # the charger says it again over its next link
        finally:
            written.then()

    async def _commission(self) -> None:
        """Run the boot order after each BootNotification, and again after a while where it was left unclear."""
        await await_boot(self.charger, self._calls)
        self._askable.set()
        while True:
            self.charger.boot_answered.clear()
            self.charger.commissioned.clear()
            self.charger.tell_learned()  # before its fallback counts: whether it was ever seen to keep a limit
            settled = await Commissioning(self.charger, self._calls).run()
            self.charger.tell_learned()
            self.charger.commissioned.set()
            await self._restart_ended()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if settled else self.charger.settings.recommission_s):
                    await self.charger.boot_answered.wait()

    async def _restart_ended(self) -> None:
        """Begin again what a pause ended, now that there is no pause any more."""
        while self.charger.restart:
            number, tag = self.charger.restart.popitem()
            await self._calls.call("RemoteStartTransaction", {"connectorId": number, "idTag": tag})

    async def _keep_books(self) -> None:
        """Look a while after something was heard or told, and on while time alone may bring something about."""
        books, clipping = Bookkeeping(self.charger, self._books_written), Clipping(self.charger, self._calls)
        while True:
            await self._stirred.wait()
            await asyncio.sleep(LOOK_EVERY_S)
            self._stirred.clear()
            await books.look()
            await self._actuation.check_end()
            await clipping.look()
            if books.are_unsettled():
                self._stirred.set()

    async def _watch(self) -> None:
        """Cut a link that gives no sign of life.

        A charger that never answered a ping and redialled when it was cut for that has three heartbeats' time.
        """
        settings, counters, memory = self.charger.settings, self.charger.counters, self.charger.memory
        round_s = settings.ping_interval_s + settings.ping_timeout_s
        patience = math.ceil(3 * settings.heartbeat_s / round_s) if memory.cut_unheard else 1
        silent = 0
        while True:
            before = counters.frames_in
            await asyncio.sleep(settings.ping_interval_s)
            alive = await self.alive(settings.ping_timeout_s)
            silent = 0 if alive or (patience > 1 and counters.frames_in != before) else silent + 1
            if silent >= (1 if memory.pongs else patience):
                memory.cut_unheard = not memory.pongs
                self.ask_cut(CLOSE_SILENT, "no sign of life")
                return

    def _on_silence(self, calls_in_a_row: int) -> None:
        if calls_in_a_row >= self.charger.settings.silent_calls_before_close:
            self.charger.refuse("silent", f"{calls_in_a_row} calls in a row were not answered")
            self.ask_cut(CLOSE_SILENT, "calls are not answered")


async def _nobody() -> None:
    pass


def _frame_that_ended(closed: ConnectionClosed) -> str | None:
    """Why WebSocket itself could not go on after a frame of the charger; None where it was not a frame."""
    if closed.sent is None or closed.rcvd_then_sent:
        return None
    return _UNREADABLE.get(closed.sent.code)


def _words(closed: ConnectionClosed) -> str:
    """Why a link ended, in words."""
    frame = closed.rcvd or closed.sent
    return "link broke" if frame is None else f"closed {frame.code} {frame.reason}".rstrip()
