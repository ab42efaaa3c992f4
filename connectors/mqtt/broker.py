"""A broker inside the process, for the demo and for tests only: anybody may publish anything, and it forgets sessions.

A depot runs mosquitto or another broker of its own, with passwords, an access list and TLS.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from types import TracebackType

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from twin_core.errors import ConfigurationError

logger = logging.getLogger(__name__)

_START_TIMEOUT_S = 10.0

_STOP_TIMEOUT_S = 5.0
"""On the wall; its thread is a daemon, so a broker that does not end holds up nobody."""


class EmbeddedBroker:
    """amqtt in a thread of its own, on an ordinary event loop: the loop outside may run on another clock.

    Args:
        host: loopback unless you mean to let strangers in.

    Raises:
        ConfigurationError: on entering, when the port cannot be had.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.port = port
        self.host = host
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    async def __aenter__(self) -> EmbeddedBroker:
        for chatty in ("amqtt", "transitions"):  # a line for every step of every client
            logging.getLogger(chatty).setLevel(logging.WARNING)
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._live, args=(started,), name="embedded-broker", daemon=True)
        self._thread.start()
        await asyncio.wrap_future(started)
        logger.warning("embedded_broker_open", extra={"host": self.host, "port": self.port, "use": "demo and tests"})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join, _STOP_TIMEOUT_S)
            if self._thread.is_alive():
                logger.warning("embedded_broker_stuck", extra={"host": self.host, "port": self.port})

    def _live(self, started: Future[None]) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve(started))
        finally:
            if not started.done():
                started.set_exception(ConfigurationError("the embedded broker died while it started; see the log"))

    async def _serve(self, started: Future[None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        broker = Broker(self._config(), loop=self._loop)
        try:
            await asyncio.wait_for(broker.start(), _START_TIMEOUT_S)
        except (BrokerError, OSError, TimeoutError) as error:
            self._stop = None
            refusal = ConfigurationError(f"the embedded broker cannot listen on {self.host}:{self.port}: {error}")
            refusal.__cause__ = error
            started.set_exception(refusal)
            return
        started.set_result(None)
        await self._stop.wait()
        await broker.shutdown()

    def _config(self) -> dict[str, object]:
        return {
            "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
