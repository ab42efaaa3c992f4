"""Carries out an operator's orders: from the door's shapes to questions of the standard, and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, assert_never

from connectors.ocpp import requests
from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.depot_ca import DepotCa
from connectors.ocpp.local_lists import LocalLists
from connectors.ocpp.operations import Answer, Operations, Outcome
from connectors.ocpp.reservations import Reservations
from connectors.ocpp.upstream.controller import Upstream
from gateway.charger_cards import ChargerCards
from gateway.charger_news import ChargerNews
from gateway.signing import Signing
from panel.cards import ChargerCard, ChargerDetail, ChargerLine
from panel.orders import (
    AvailabilityOrder,
    CancelOrder,
    CertificateOrder,
    ChargerAnswer,
    ClearCacheOrder,
    DataTransferOrder,
    DeleteCertificateOrder,
    DiagnosticsOrder,
    FirmwareOrder,
    ForgetOrder,
    LocalListOrder,
    Order,
    ReadConfigurationOrder,
    ReserveOrder,
    ResetOrder,
    StartOrder,
    StopOrder,
    TriggerOrder,
    UnlockOrder,
    WriteConfigurationOrder,
)
from twin_core.errors import ProtocolError
from twin_core.models.authorisation import ListedTag
from twin_core.models.ids import ChargerId
from twin_core.ports import ChargerUpkeep, Clock
from twin_core.runtime import Runtime

Arrangement = (
    FirmwareOrder
    | DiagnosticsOrder
    | ReserveOrder
    | CancelOrder
    | CertificateOrder
    | DeleteCertificateOrder
    | LocalListOrder
    | ForgetOrder
)
_SECRET_SETTING = re.compile(r"authorizationkey|password|secret", re.IGNORECASE)
MAX_WAITING = 8
"""Orders that may wait for one charger; it answers one at a time."""


class Desk:
    """The operator's desk of one gateway; an OperatorDesk.

    Attributes:
        operations: questions to chargers, for programs.
        lists: the lists of tags that chargers keep themselves.
        reservations: connectors kept free.
        signing: chargers' certificates from the depot's own authority.
    """

    def __init__(
        self,
        runtime: Runtime,
        central: CentralSystem,
        news: ChargerNews,
        *,
        upkeep: ChargerUpkeep,
        clock: Clock,
        draw: Callable[[], int],
        tags: Callable[[], tuple[ListedTag, ...]],
        upstream: Upstream | None = None,
        ca: DepotCa | None = None,
    ) -> None:
        """Furnish the desk.

        Args:
            runtime: the twin's, for what chargers are.
            central: the way to them.
            news: what they reported of their own upkeep, and where what they were told goes.
            upkeep: keeps what they were told.
            clock: time of reservations and of updates.
            draw: draws the number of a request, in [1, 2³¹).
            tags: the list of tags that chargers may keep themselves, as it is now.
            upstream: the second central system; None where the site has none.
            ca: the depot's own authority for certificates; None where it has none.
        """
        self.operations = Operations(central, draw)
        self.signing = Signing(ca, self.operations, upkeep, clock, central.identifies)
        self.lists = LocalLists(self.operations, upkeep, news, clock)
        self.reservations = Reservations(central, self.operations, upkeep, news, clock, draw)
        self._cards = ChargerCards(
            runtime, central, news, upkeep=upkeep, reservations=self.reservations, upstream=upstream
        )
        self._runtime = runtime
        self._central = central
        self._clock = clock
        self._tags = tags
        self._waiting: Counter[ChargerId] = Counter()

    def chargers(self) -> list[ChargerLine]:
        """See `OperatorDesk.chargers`."""
        return self._cards.lines()

    def detail(self, name: str) -> ChargerDetail | None:
        """See `OperatorDesk.detail`."""
        return self._cards.detail(ChargerId(name))

    async def charger(self, name: str) -> ChargerCard | None:
        """See `OperatorDesk.charger`."""
        return await self._cards.card(ChargerId(name))

    async def carry_out(self, name: str, order: Order) -> ChargerAnswer | None:
        """See `OperatorDesk.carry_out`."""
        charger = ChargerId(name)
        if charger not in self._runtime.twin.state.chargers:
            return None
        if self._waiting[charger] >= MAX_WAITING:
            raise ProtocolError(f"{MAX_WAITING} orders wait for this charger already: let it answer first")
        self._waiting[charger] += 1
        try:
            answer = await self._ask(charger, order)
        finally:
            self._waiting[charger] -= 1
        return ChargerAnswer(
            charger=name,
            action=answer.action,
            outcome=answer.outcome.value,
            said=answer.said,
            number=answer.number,
            payload=_without_secrets(answer.payload),
        )

    async def _ask(self, charger: ChargerId, order: Order) -> Answer:
        match order:
            case ResetOrder(hard=hard):
                return await self.operations.reset(charger, hard=hard)
            case UnlockOrder(connector=connector):
                return await self.operations.unlock(charger, connector)
            case TriggerOrder(message=message, connector=connector):
                return await self.operations.trigger(charger, message, connector)
            case ReadConfigurationOrder(keys=keys):
                return await self.operations.read_configuration(charger, keys)
            case WriteConfigurationOrder(key=key, value=value):
                return await self.operations.write_configuration(charger, key, value)
            case StartOrder(id_tag=id_tag, connector=connector):
                return await self.operations.start(charger, id_tag, connector)
            case StopOrder():
                return await self.operations.stop(charger, self._transaction(charger, order))
            case AvailabilityOrder(connector=connector, available=available):
                return await self.operations.set_available(charger, connector, available=available)
            case ClearCacheOrder():
                return await self.operations.ask(charger, requests.clear_cache())
            case DataTransferOrder(vendor=vendor, message=message, data=data):
                return await self.operations.ask(charger, requests.data_transfer(vendor, message, data))
            case _:
                return await self._arrange(charger, order)

    async def _arrange(self, charger: ChargerId, order: Arrangement) -> Answer:
        """Orders that are more than one question, or about what is kept here."""
        match order:
            case FirmwareOrder():
                return await self._update(charger, order)
            case DiagnosticsOrder():
                return await self._fetch(charger, order)
            case ReserveOrder():
                until = self._clock.now().utc + timedelta(minutes=order.minutes)
                return await self.reservations.reserve(charger, order.connector, order.id_tag, until, order.group)
            case CancelOrder(number=number):
                return await self.reservations.cancel(charger, number)
            case CertificateOrder():
                return await self._certify(charger, order)
            case DeleteCertificateOrder():
                named = requests.CertificateHash(
                    order.algorithm, order.issuer_name_hash, order.issuer_key_hash, order.serial_number
                )
                return await self.operations.ask(charger, requests.delete_certificate(named))
            case LocalListOrder(what="version"):
                return await self.lists.version(charger)
            case LocalListOrder(what=what):
                return await self.lists.write(charger, self._tags() if what == "send" else ())
            case ForgetOrder():
                return self._forget(charger, order)
            case _:
                assert_never(order)

    def _transaction(self, charger: ChargerId, order: StopOrder) -> int:
        """The transaction that is meant.

        Raises:
            ProtocolError: none runs there, or several and none is named.
        """
        if order.transaction is not None:
            return order.transaction
        state = self._runtime.twin.state
        connectors = [state.connectors[one.id] for one in state.chargers[charger].spec.connectors]
        running = {
            one.spec.id.number: int(one.session.transaction_id)
            for one in connectors
            if one.session is not None and order.connector in (None, one.spec.id.number)
        }
        if len(running) != 1:
            there = "here" if order.connector is None else f"on connector {order.connector}"
            named = ", ".join(f"{transaction} on connector {number}" for number, transaction in running.items())
            raise ProtocolError(f"which transaction? {named}" if running else f"no transaction runs {there}")
        return next(iter(running.values()))

    def _forget(self, charger: ChargerId, order: ForgetOrder) -> Answer:
        """Forget at once; chargers that are there are set up anew, the others when they come."""
        forgotten: tuple[ChargerId, ...] = (charger,)
        if order.model:
            if order.what:
                raise ProtocolError("of a model everything is forgotten: leave out either --what or --model")
            model = self._central.memory(charger).model
            if not model:
                raise ProtocolError("its model is not known: it has not booted yet")
            forgotten = self._central.forget_model(model)
        else:
            self._central.forget(charger, order.what)
        here = ", ".join(one for one in forgotten if one in self._central.connected)
        away = ", ".join(one for one in forgotten if one not in self._central.connected)
        parts = [f"set up anew now: {here}" if here else "", f"when back: {away}" if away else ""]
        return Answer("Forget", Outcome.DONE, "; ".join(part for part in parts if part))

    async def _update(self, charger: ChargerId, order: FirmwareOrder) -> Answer:
        retrieve = order.retrieve or self._clock.now().utc
        if order.certificate is None and order.signature is None:
            return await self.operations.update_firmware(charger, order.location, retrieve)
        if order.certificate is None or order.signature is None:
            raise ProtocolError("a signed update needs both its certificate and its signature")
        return await self.operations.update_signed_firmware(
            charger, order.location, retrieve, certificate=order.certificate, signature=order.signature
        )

    async def _certify(self, charger: ChargerId, order: CertificateOrder) -> Answer:
        match order.what:
            case "deliver":
                return await self.signing.deliver(charger, order.pem)
            case "sign":
                return await self.signing.sign(charger)
            case "install":
                return await self.operations.ask(charger, requests.install_certificate(order.use, order.pem))
            case "list":
                return await self.operations.ask(charger, requests.get_installed_certificate_ids(order.use))
            case _:
                assert_never(order.what)

    async def _fetch(self, charger: ChargerId, order: DiagnosticsOrder) -> Answer:
        where, since, until = order.location, order.since, order.until
        if order.log is None:
            return await self.operations.upload_diagnostics(charger, where, since=since, until=until)
        security = order.log == "security"
        return await self.operations.upload_log(charger, where, security=security, since=since, until=until)


def _without_secrets(payload: dict[str, Any]) -> dict[str, Any]:
    """An answer without the passwords that some chargers show when asked for their settings."""
    entries = payload.get("configurationKey")
    if type(entries) is not list:
        return payload
    shown = [
        {**entry, "value": "(not shown)"}
        if type(entry) is dict and _SECRET_SETTING.search(str(entry.get("key"))) and entry.get("value")
        else entry
        for entry in entries
    ]
    return {**payload, "configurationKey": shown}
