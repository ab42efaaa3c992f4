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
from connectors.ocpp.operations import Answer, Operations
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.reservations import Reservations
from gateway.charger_news import ChargerNews
from gateway.signing import Signing
from panel.orders import (
    CancelOrder,
    CertificateOrder,
    ChargerAnswer,
    ChargerCard,
    ChargerLine,
    DeleteCertificateOrder,
    DiagnosticsOrder,
    FirmwareOrder,
    Order,
    ReadConfigurationOrder,
    ReservationLine,
    ReserveOrder,
    ResetOrder,
    TriggerOrder,
    UnlockOrder,
    WriteConfigurationOrder,
)
from twin_core.errors import ProtocolError
from twin_core.models.charger import ChargerIdentity
from twin_core.models.ids import ChargerId
from twin_core.ports import ChargerUpkeep, Clock
from twin_core.runtime import Runtime
from twin_core.state import ChargerState

_SECRET_SETTING = re.compile(r"authorizationkey|password|secret", re.IGNORECASE)
MAX_WAITING = 8
"""Orders that may wait for one charger; it answers one at a time."""

_UNSAID = ChargerIdentity()


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
        ca: DepotCa | None = None,
    ) -> None:
        self.operations = Operations(central, draw)
        self.signing = Signing(ca, self.operations, upkeep, clock, central.identifies)
        self.lists = LocalLists(self.operations, upkeep, news, clock)
        self.reservations = Reservations(central, self.operations, upkeep, news, clock, draw)
        self._runtime = runtime
        self._central = central
        self._news = news
        self._upkeep = upkeep
        self._clock = clock
        self._waiting: Counter[ChargerId] = Counter()

    def chargers(self) -> list[ChargerLine]:
        """See `OperatorDesk.chargers`."""
        return [ChargerLine(**self._line(state)) for state in self._runtime.twin.state.chargers.values()]

    def _line(self, state: ChargerState) -> dict[str, Any]:
        identity = state.identity or _UNSAID
        connectors = self._runtime.twin.state.connectors
        status = {connector.id.number: connectors[connector.id].status for connector in state.spec.connectors}
        return {
            "charger": state.spec.id,
            "online": state.spec.id in self._central.connected,
            "vendor": identity.vendor,
            "model": identity.model,
            "firmware": identity.firmware,
            "status": {number: "" if said is None else said.value for number, said in status.items()},
        }

    async def charger(self, name: str) -> ChargerCard | None:
        """See `OperatorDesk.charger`."""
        charger = ChargerId(name)
        state = self._runtime.twin.state.chargers.get(charger)
        if state is None:
            return None
        news, counters = self._news.of(charger), self._central.counters.get(charger, LinkCounters())
        known_list = await self._upkeep.local_list(charger)
        wanted = await self._upkeep.certificate_request(charger)
        kept = await self.reservations.open(charger)
        return ChargerCard(
            **self._line(state),
            serial=(state.identity or _UNSAID).serial,
            commissioned=state.abilities is not None,
            firmware_update=news.firmware_update,
            upload=news.upload,
            security_event=news.security_event,
            list_version=None if known_list is None else known_list.version,
            certificate_wanted=None if wanted is None else wanted.csr,
            reservations=tuple(
                ReservationLine(
                    number=one.reservation_id,
                    connector=one.connector_id.number,
                    id_tag=one.id_tag,
                    until=one.expires,
                    state=one.state.value,
                )
                for one in kept
            ),
            counters={
                "frames_in": counters.frames_in,
                "frames_out": counters.frames_out,
                "calls": counters.calls,
                "timeouts": counters.timeouts,
                "late_answers": counters.late_answers,
                "connections": counters.connections,
            },
            refused=dict(counters.refused),
            flawed=dict(counters.flawed),
        )

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
            case _:
                assert_never(order)

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
