"""The OCPP 1.6J central system: who is connected, and the door for grants and operations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from connectors.ocpp.calls import CallOutcome, LinkLost
from connectors.ocpp.charger import Charger, Surroundings
from connectors.ocpp.frames import Payload
from connectors.ocpp.handshake import LoginGuard, chosen_subprotocol, credentials, identity_in, password_matches
from connectors.ocpp.known_models import KnownModels
from connectors.ocpp.memory import ChargerMemory
from connectors.ocpp.refusals import LinkCounters, Refusals
from connectors.ocpp.routing import HANDLERS, OUTGOING
from connectors.ocpp.session import CLOSE_DUPLICATE, Session
from connectors.ocpp.settings import CentralSystemSettings
from connectors.ocpp.tls import ListeningTls, certificate_name
from connectors.ocpp.upkeep import MemoryUpkeep
from connectors.ocpp.upstream.controller import Upstream
from connectors.ocpp.vendors import VendorHandler
from twin_core.errors import ConfigurationError, ProtocolError
from twin_core.models.charger import Aspect, ChargerSpec, Learned
from twin_core.models.events import ChargerAdopted, ChargerLearned, GrantAnswered, ModelLearned
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId
from twin_core.ports import ChargerDirectory, ChargerUpkeep, Clock, EventSink, TransactionLedger

__all__ = ["CentralSystem", "CentralSystemSettings"]

logger = logging.getLogger(__name__)

# What clients do wrong before they are chargers is refused and counted here; the library need not log it as an error.
_wire_logger = logging.getLogger(f"{__name__}.wire")
_wire_logger.setLevel(logging.CRITICAL)


class CentralSystem:
    """Listens for charge points and serves each one; a ChargerPort.

    Use as an async context manager: it listens inside, and on leaving closes every link.
    """

    def __init__(
        self,
        settings: CentralSystemSettings,
        *,
        clock: Clock,
        sink: EventSink,
        ledger: TransactionLedger,
        directory: ChargerDirectory,
        upkeep: ChargerUpkeep | None = None,
        vendors: Mapping[str, VendorHandler] | None = None,
        learned: Mapping[ChargerId, Learned] | None = None,
        models: Mapping[str, Learned] | None = None,
        upstream: Upstream | None = None,
        tls: ListeningTls | None = None,
        bears: Callable[[ChargerId], bool] = lambda charger_id: True,
    ) -> None:
        """Prepare; nothing listens yet.

        Args:
            settings: how to listen, wait and limit.
            clock: time of everything told.
            sink: where facts go.
            ledger: makes transactions durable.
            directory: who may connect and who may charge.
            upkeep: keeps local lists, reservations and certificate requests; in memory only when left out.
            vendors: who answers the private messages of which vendor.
            learned: what was found out about chargers before.
            models: what chargers taught of their models before.
            upstream: a second central system that is to hear what the chargers say.
            tls: security profiles 2 and 3; None listens in the clear.
            bears: whether the site has room for all that a charger can draw which was never seen to keep a limit.
        """
        self._settings = settings
        self._refusals = Refusals(clock, sink, settings.refusal_interval_s)
        self._models = KnownModels(models)
        self._around = Surroundings(
            settings,
            clock,
            sink,
            ledger,
            directory,
            self._refusals,
            upkeep or MemoryUpkeep(),
            vendors or {},
            self._models,
            bears,
        )
        self._guard = LoginGuard(settings.login_backoff_s)
        self._sessions: dict[ChargerId, Session] = {}
        self._memories: dict[ChargerId, ChargerMemory] = {}
        for charger_id, what in (learned or {}).items():
            self._memories[charger_id] = ChargerMemory()
            self._memories[charger_id].recall(what)
        self._operations: set[asyncio.Task[CallOutcome]] = set()
        self._admitted: WeakKeyDictionary[ServerConnection, ChargerSpec] = WeakKeyDictionary()
        self._server: Server | None = None
        self._upstream = upstream
        self._tls = tls
        if tls is not None:
            tls.on_refused = partial(self._refusals.refuse, "tls", "tls-handshake")
        self._routes = HANDLERS if upstream is None else upstream.routes(HANDLERS)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigurationError: the port is taken, or the address is not this machine's.
        """
        settings = self._settings
        try:
            self._server = await self._listen(settings)
        except OSError as refused:
            raise ConfigurationError(
                f"cannot listen for charge points on {settings.host}:{settings.port} ({refused.strerror}): choose "
                "another host or port for OCPP"
            ) from refused
        logger.info("listening", extra={"host": settings.host, "port": self.port, "path": settings.path})
        return self

    async def _listen(self, settings: CentralSystemSettings) -> Server:
        secured: dict[str, Any] = {}
        if self._tls is not None:
            secured = {
                "ssl": self._tls.context,
                "ssl_handshake_timeout": settings.open_timeout_s,
                "ssl_shutdown_timeout": settings.close_timeout_s,
            }
        return await serve(
            self._serve,
            settings.host,
            settings.port,
            process_request=self._admit,
            select_subprotocol=_select_subprotocol,
            compression=None,
            max_size=settings.max_frame_bytes,
            ping_interval=None,  # `Session` looks after liveness: there, any frame is a sign of life
            open_timeout=settings.open_timeout_s,
            close_timeout=settings.close_timeout_s,
            server_header=None,
            logger=_wire_logger,
            **secured,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for operation in self._operations:
            operation.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port listened on, also where the settings left it open."""
        if self._server is None:
            return self._settings.port
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def connected(self) -> frozenset[ChargerId]:
        """Chargers with an open link."""
        return frozenset(self._sessions)

    @property
    def counters(self) -> dict[str, LinkCounters]:
        """What passed and what was refused, by charger, or by address where no identity was valid."""
        return self._refusals.counters

    def identifies(self, charger_id: ChargerId) -> bool:
        """Whether whoever connects under this identity proves it, by a certificate or a password."""
        asks_certificates = self._tls is not None and self._tls.asks_certificates
        return asks_certificates or self._around.directory.password(charger_id) is not None

    def memory(self, charger_id: ChargerId) -> ChargerMemory:
        """What was learned of a charger, or would be assumed of one that never came; to be read."""
        return self._memories.get(charger_id, ChargerMemory())

    def forget(self, charger_id: ChargerId, aspects: Collection[Aspect] = ()) -> None:
        """Forget what was learned of a charger; where it is connected, it is set up anew at once.

        It then begins with nothing, also where something is known of its model.

        Args:
            charger_id: which one.
            aspects: of which of its ways; all of them where none is named.
        """
        memory = self._memories.setdefault(charger_id, ChargerMemory())
        memory.forget(aspects)
        left = memory.learned() if memory.model else None
        now = self._around.clock.now()
        self._around.sink.put(ChargerLearned(at=now, charger_id=charger_id, learned=left))
        logger.info("forgotten", extra={"charger": charger_id, "aspects": sorted(aspects) or "all"})
        if (session := self._sessions.get(charger_id)) is not None:
            session.charger.told = left
            session.charger.commissioned.clear()  # no grant leaves on what is found out only now
            session.charger.boot_answered.set()

    def forget_model(self, model: str) -> tuple[ChargerId, ...]:
        """Forget what was learned of a model and of every charger of it; returns those, in order."""
        if self._models.forget(model):
            self._around.sink.put(ModelLearned(at=self._around.clock.now(), model=model, learned=None))
        alike = sorted(charger for charger, memory in self._memories.items() if memory.model == model)
        for charger in alike:
            self.forget(charger)
        return tuple(alike)

    def doubt(self, charger_id: ChargerId) -> None:
        """A charger was caught drawing more than it may: that it once kept its limits proves nothing any more."""
        memory = self._memories.get(charger_id)
        if memory is None or not memory.proven:
            return
        now = self._around.clock.now()
        memory.doubt(now.utc)
        self._around.sink.put(ChargerLearned(at=now, charger_id=charger_id, learned=memory.learned()))

    def offer(self, grant: Grant) -> None:
        """Send a grant as soon as its charger can take it, in place of any older one still waiting.

        What became of it comes back as GrantSent and GrantAnswered events. Never blocks.
        """
        if self._upstream is not None:
            self._upstream.granted(grant)
        session = self._sessions.get(grant.connector_id.charger)
        if session is not None:
            session.offer(grant)
            return
        now = self._around.clock.now()
        outcome = GrantOutcome.UNSENT
        self._around.sink.put(
            GrantAnswered(at=now, connector_id=grant.connector_id, seq=grant.seq, outcome=outcome, detail="no link")
        )

    async def call(self, charger_id: ChargerId, action: str, payload: Payload, timeout_s: float = 0.0) -> CallOutcome:
        """Ask a charger something; waits for its boot, its line and its answer.

        Giving up the wait does not take the question back.

        Raises:
            ProtocolError: the action is not one of those, or the payload breaks its schema; nothing was sent.
        """
        if action not in OUTGOING:
            raise ProtocolError(f"{action!r} is not asked of chargers by this central system")
        session = self._sessions.get(charger_id)
        if session is None:
            return LinkLost()
        operation = asyncio.create_task(session.call(action, payload, timeout_s), name=f"ocpp {charger_id} {action}")
        self._operations.add(operation)
        operation.add_done_callback(self._operations.discard)
        return await asyncio.shield(operation)

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let a request become a link, or answer it in clear words."""
        address = _address(connection)
        try:
            identity = identity_in(request.path, self._settings.path)
        except ProtocolError as exc:
            return self._refuse(connection, address, "bad-identity", HTTPStatus.NOT_FOUND, str(exc))
        now_s = asyncio.get_running_loop().time()
        if self._guard.wait_s(address, identity, now_s) > 0.0:
            text = "too many wrong passwords: wait before the next try"
            return self._refuse(connection, address, "login-too-fast", HTTPStatus.TOO_MANY_REQUESTS, text)
        spec = self._around.directory.find(identity)
        if (refusal := self._check_login(connection, request, identity, spec)) is not None:
            self._guard.failed(address, identity, now_s)
            return refusal
        self._guard.passed(address, identity)
        if spec is None:
            text = f"charge point {identity} is not known here"
            return self._refuse(connection, identity, "unknown-charger", HTTPStatus.NOT_FOUND, text)
        try:
            _offered_subprotocol(request)
        except (ProtocolError, InvalidHeader) as exc:
            return self._refuse(connection, identity, "wrong-subprotocol", HTTPStatus.BAD_REQUEST, str(exc))
        await self._around.turns.mine()
        present = self._sessions.get(identity)
        if present is not None and await present.alive(self._settings.duplicate_ping_s):
            text = f"charge point {identity} is connected already, and answers"
            return self._refuse(connection, identity, "duplicate-identity", HTTPStatus.CONFLICT, text)
        if present is not None:
            self._retire(present)
        self._admitted[connection] = spec
        return None

    def _check_login(
        self, connection: ServerConnection, request: Request, identity: ChargerId, spec: ChargerSpec | None
    ) -> Response | None:
        """A certificate of its own, where certificates are asked for, or else its password."""
        if self._tls is None or not self._tls.asks_certificates:
            return self._check_password(connection, request, identity, spec)
        name = certificate_name(connection)
        if name is None:
            expected = self._around.directory.password(identity)
            if password_matches(identity, expected, credentials(request.headers)):
                return None
            cause = "no-certificate" if expected is None else "wrong-password"
            text = "show this charge point's certificate, or its password"
            return self._refuse(connection, identity, cause, HTTPStatus.UNAUTHORIZED, text)
        if name != identity:
            text = f"this certificate is not for charge point {identity}"
            return self._refuse(connection, identity, "wrong-certificate", HTTPStatus.FORBIDDEN, text)
        return None

    def _check_password(
        self, connection: ServerConnection, request: Request, identity: ChargerId, spec: ChargerSpec | None
    ) -> Response | None:
        shown = credentials(request.headers)
        expected = None if spec is None else self._around.directory.password(identity)
        # The comparison runs whether the identity is known or not, and so does what answers it.
        matches = password_matches(identity, expected, shown)
        concealed = spec is None and (shown is not None or self._settings.conceal_unknown)
        if matches or not (expected is not None or concealed):
            return None
        text = "wrong identity or password"
        response = self._refuse(connection, identity, "wrong-password", HTTPStatus.UNAUTHORIZED, text)
        response.headers["WWW-Authenticate"] = 'Basic realm="ocpp", charset="UTF-8"'
        return response

    def _refuse(self, connection: ServerConnection, source: str, cause: str, status: HTTPStatus, text: str) -> Response:
        self._refusals.refuse(source, cause, text)
        return connection.respond(status, f"{text}\n")

    async def _serve(self, connection: ServerConnection) -> None:
        """Serve one link; what goes wrong in it ends it and no other."""
        request = connection.request
        if request is None:
            return
        identity = identity_in(request.path, self._settings.path)
        spec = self._admitted.pop(connection)
        # Nobody asks for the words of the handshake again; ten thousand links would keep forty megabytes of them.
        request.headers.clear()
        if connection.response is not None:
            connection.response.headers.clear()
        if identity in self._sessions:
            # Two sockets passed the handshake in the same moment.
            self._refusals.refuse(identity, "duplicate-identity", "another link came first")
            await connection.close(CLOSE_DUPLICATE, "connected already")
            return
        if spec.adopted:
            self._around.sink.put(ChargerAdopted(at=self._around.clock.now(), charger=spec))
        memory = self._memories.setdefault(identity, ChargerMemory())
        told = None if self._upstream is None else partial(self._upstream.tell_written, identity)
        session = Session(Charger(spec, self._around, memory), connection, self._routes, told)
        self._sessions[identity] = session
        if self._upstream is not None:
            self._upstream.attach(session, session.charger, partial(self.call, identity))
        try:
            await session.run(_address(connection))
        except Exception:
            # The supervisor of all links: the charger redials, and the others never notice.
            logger.exception("session failed", extra={"charger": identity})
            self._refusals.refuse(identity, "session-failed", "see the log")
        finally:
            if self._upstream is not None:
                self._upstream.detach(session, identity)
            if self._sessions.get(identity) is session:
                del self._sessions[identity]

    def _retire(self, session: Session) -> None:
        """A dead link gives way to a new one: what hung on it is settled now, its socket closes by itself."""
        identity = session.charger.spec.id
        if self._sessions.get(identity) is session:
            del self._sessions[identity]
        session.finish("replaced by a new link")
        session.ask_cut(CLOSE_DUPLICATE, "replaced by a new link")


def _offered_subprotocol(request: Request) -> str | None:
    values = request.headers.get_all("Sec-WebSocket-Protocol")
    return chosen_subprotocol([name for value in values for name in parse_subprotocol(value)])


def _select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Name the client's own spelling of our protocol, or none; `_admit` has refused all other offers."""
    try:
        chosen = chosen_subprotocol(list(offered))
    except ProtocolError as exc:
        raise NegotiationError(str(exc)) from exc
    return None if chosen is None else Subprotocol(chosen)


def _address(connection: ServerConnection) -> str:
    """Address of the other end; empty when the socket has none any more."""
    remote = connection.remote_address
    return str(remote[0]) if remote else ""
