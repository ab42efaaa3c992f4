"""What the security extension lets a charger say: that something happened, and that it wants a certificate."""

from __future__ import annotations

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.incoming.answering import Written
from twin_core.models.events import CertificateRequested
from twin_core.models.quantities import Instant
from twin_core.models.upkeep import SecurityEventReported

MAX_CSR_LENGTH = 5500
_CSR_BEGINS = ("-----BEGIN CERTIFICATE REQUEST-----", "-----BEGIN NEW CERTIFICATE REQUEST-----")


def security_event(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """Something that bears on the charger's security, told to the twin."""
    what = translate.text(payload.get("type"))
    if not what:
        charger.refuse("security-event-unreadable", ascii(payload.get("type"))[:60])
        return {}
    detail = translate.text(payload.get("techInfo"), 255)
    charger.emit(
        SecurityEventReported(
            at=at,
            charger_id=charger.spec.id,
            what=what,
            detail=detail,
            reported_at=translate.timestamp(payload.get("timestamp")),
        )
    )
    return {}


async def sign_certificate(charger: Charger, payload: Payload, at: Instant) -> Written:
    """A certificate signing request: kept until an authority has signed it and the chain is sent.

    Raises:
        StorageError: it could not be made durable.
    """
    csr = payload.get("csr")
    if type(csr) is not str or len(csr) > MAX_CSR_LENGTH or not csr.lstrip().startswith(_CSR_BEGINS):
        charger.refuse("csr-unreadable", ascii(csr)[:60])
        return Written({"status": "Rejected"})
    request = CertificateRequested(at=at, charger_id=charger.spec.id, csr=csr.strip())
    await charger.around.upkeep.keep(request)
    return Written({"status": "Accepted"}, lambda: charger.emit(request))
