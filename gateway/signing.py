"""Chargers' certificates from the depot's own authority: on an operator's word, or by itself where the site says so."""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors.ocpp.depot_ca import DepotCa
from connectors.ocpp.operations import Answer, Operations, Outcome
from gateway.one_by_one import OneByOne
from twin_core.errors import ProtocolError, StorageError
from twin_core.models.events import CertificateRequested
from twin_core.models.ids import ChargerId
from twin_core.ports import ChargerUpkeep, Clock

logger = logging.getLogger(__name__)

AGAIN_AFTER_S = 600.0
"""A charger that asks sooner has to wait for an operator."""


class Signing:
    """Signs the newest request of a charger and hands the certificate over.

    Args:
        ca: the authority; None where the site names none.
        known: whether a charger proves who it is when it connects; nobody else gets a certificate unasked.

    Attributes:
        due: chargers that asked for a certificate and are to get it by themselves.
    """

    def __init__(
        self,
        ca: DepotCa | None,
        operations: Operations,
        upkeep: ChargerUpkeep,
        clock: Clock,
        known: Callable[[ChargerId], bool],
    ) -> None:
        self._ca = ca
        self._operations = operations
        self._upkeep = upkeep
        self._clock = clock
        self._known = known
        self.due = OneByOne(self._look_after)
        self._signed_s: dict[ChargerId, float] = {}

    async def sign(self, charger: ChargerId) -> Answer:
        """Sign its newest request, and send it the certificate.

        Raises:
            ProtocolError: there is no authority or no request, or the request may not be signed; the text says why.
            StorageError: the request cannot be read.
        """
        if self._ca is None:
            raise ProtocolError("the site has no authority: add a [depot_ca], or sign elsewhere and deliver the chain")
        wanted = await self._upkeep.certificate_request(charger)
        if wanted is None:
            raise ProtocolError(f"{charger} has asked for no certificate: trigger SignChargePointCertificate")
        return await self.deliver(charger, self._ca.sign(wanted.csr, charger, self._clock.now().utc))

    async def deliver(self, charger: ChargerId, chain: str) -> Answer:
        """Hand a certificate over, with its chain in PEM; a charger that takes it wants none any more.

        Raises:
            StorageError: the disk refused.
        """
        wanted = await self._upkeep.certificate_request(charger)
        answer = await self._operations.deliver_certificate(charger, chain)
        is_newest = wanted is not None and wanted == await self._upkeep.certificate_request(charger)
        if answer.outcome is Outcome.DONE and is_newest:
            await self._upkeep.keep(CertificateRequested(at=self._clock.now(), charger_id=charger, csr=""))
        return answer

    async def _look_after(self, charger: ChargerId) -> None:
        why = self._reluctance(charger)
        if not why:
            self._signed_s[charger] = self._clock.now().monotonic_s
            try:
                answer = await self.sign(charger)
            except (ProtocolError, StorageError) as refused:
                why = str(refused)
            else:
                fields = {"charger": charger, "outcome": answer.outcome, "said": answer.said}
                logger.info("certificate signed", extra=fields)
        if why:
            logger.warning("certificate not signed", extra={"charger": charger, "detail": why})

    def _reluctance(self, charger: ChargerId) -> str:
        """Why its request is left to an operator; empty where it is not."""
        if not self._known(charger):
            return "it proves by no password and no certificate who it is"
        signed_s = self._signed_s.get(charger, float("-inf"))
        return "it asked again too soon" if self._clock.now().monotonic_s < signed_s + AGAIN_AFTER_S else ""
