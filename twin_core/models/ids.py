"""Names of things. A charger's name comes from outside, so it is checked here, once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

from twin_core.errors import ProtocolError

ChargerId = NewType("ChargerId", str)
NodeId = NewType("NodeId", str)
IdTag = NewType("IdTag", str)
TransactionId = NewType("TransactionId", int)
SessionId = NewType("SessionId", str)

_CHARGER_ID = re.compile(r"[A-Za-z0-9_.:\-]([A-Za-z0-9_.:\- ]{0,46}[A-Za-z0-9_.:\-])?")


def charger_id(text: str) -> ChargerId:
    """A checked charge point identity.

    Raises:
        ProtocolError: the text is empty, longer than 48 characters, or holds a character that could be read as a path,
            a topic separator or markup further on.
    """
    if not _CHARGER_ID.fullmatch(text):
        raise ProtocolError(
            f"charge point identity {text[:60]!r} is not allowed: use 1 to 48 letters, digits, spaces or _ . : -"
        )
    return ChargerId(text)


@dataclass(frozen=True, slots=True, order=True)
class ConnectorId:
    """One outlet of a charger; OCPP numbers them from 1."""

    charger: ChargerId
    number: int

    def __str__(self) -> str:
        return f"{self.charger}/{self.number}"
