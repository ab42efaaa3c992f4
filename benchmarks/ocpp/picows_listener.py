"""The central system behind picows in place of websockets: for measuring only, it admits every charger it knows."""

from __future__ import annotations

from typing import Any

from picows.websockets import serve

from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.handshake import identity_in
from connectors.ocpp.settings import CentralSystemSettings


class PicowsCentralSystem(CentralSystem):
    """Sessions, routing and everything behind them are the product's own; only the sockets are others."""

    async def _listen(self, settings: CentralSystemSettings) -> Any:
        return await serve(
            self._admit_and_serve,
            settings.host,
            settings.port,
            select_subprotocol=lambda _, offered: offered[0],
            compression=None,
            max_size=settings.max_frame_bytes,
            ping_interval=None,
            open_timeout=settings.open_timeout_s,
            close_timeout=settings.close_timeout_s,
            server_header=None,
        )

    async def _admit_and_serve(self, connection: Any) -> None:
        spec = self._around.directory.find(identity_in(connection.request.path, self._settings.path))
        if spec is not None:
            self._admitted[connection] = spec
            await self._serve(connection)
