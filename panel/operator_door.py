"""Orders to chargers over HTTP: for `depot charger` and whoever else holds the gateway's key, never for a page.

The panel's own pages are open to whoever can reach them. Orders are not: each needs the key that the gateway wrote into
its data folder, in a header that no page of another origin can send.
"""

from __future__ import annotations

import hmac
import logging
from typing import Final, TypeVar

from fastapi import FastAPI, HTTPException, Request
from pydantic import TypeAdapter, ValidationError

from panel.cards import ChargerCard, ChargerLine
from panel.orders import ChargerAnswer, OperatorDesk, Order
from twin_core.errors import ProtocolError, StorageError

logger = logging.getLogger(__name__)

MAX_ORDER_BYTES: Final = 16_384
FoundT = TypeVar("FoundT")
_ORDER: TypeAdapter[Order] = TypeAdapter(Order)


def add_operator_door(app: FastAPI, desk: OperatorDesk, key: str) -> None:
    """Let whoever shows the key see chargers and give them orders.

    Args:
        app: the panel's application.
        desk: carries out orders.
        key: what callers show as `Authorization: Bearer KEY`.
    """

    @app.get("/api/chargers")
    async def every_charger(request: Request) -> list[ChargerLine]:
        """Every charger of the site."""
        _check_key(request, key)
        return desk.chargers()

    @app.get("/api/chargers/{name}")
    async def one_charger(request: Request, name: str) -> ChargerCard:
        """Everything known of one charger."""
        _check_key(request, key)
        try:
            return _known(await desk.charger(name), name)
        except StorageError as unreadable:
            raise HTTPException(503, str(unreadable)) from unreadable

    @app.post("/api/chargers/{name}/orders")
    async def order(request: Request, name: str) -> ChargerAnswer:
        """Ask a charger something; answered when it answered, or its time was over."""
        _check_key(request, key)
        wanted = _order_in(await _body(request))
        logger.info("order", extra={"charger": name[:60], "operation": wanted.operation})
        try:
            return _known(await desk.carry_out(name, wanted), name)
        except ProtocolError as wrong:
            raise HTTPException(422, str(wrong)) from wrong
        except StorageError as unwritable:
            raise HTTPException(503, f"nothing was sent: {unwritable}") from unwritable


def _check_key(request: Request, key: str) -> None:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), key.encode()):
        logger.warning("panel_refused", extra={"cause": "no operator's key", "path": request.url.path[:100]})
        raise HTTPException(
            401, "orders need the key in the gateway's data folder", {"WWW-Authenticate": 'Bearer realm="operator"'}
        )


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_ORDER_BYTES:
            raise HTTPException(413, f"an order has no more than {MAX_ORDER_BYTES} bytes")
    return body


def _order_in(body: bytes) -> Order:
    try:
        return _ORDER.validate_json(body)
    except ValidationError as wrong:
        faults = [f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}".lstrip(": ") for fault in wrong.errors()]
        raise HTTPException(422, "; ".join(faults)) from wrong


def _known(found: FoundT | None, name: str) -> FoundT:
    if found is None:
        raise HTTPException(404, f"no charger is called {name[:60]!r} here")
    return found
