"""DataTransfer, the standard's door for what it does not know: who answers which vendor's private messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from twin_core.models.ids import ChargerId


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """What a private message is answered with."""

    status: Literal["Accepted", "Rejected", "UnknownMessageId"]
    data: str | None = None


VendorHandler = Callable[[ChargerId, str, str], VendorAnswer]
"""Answers one vendor's messages from the charger, the message's name and its data; returns at once and never raises."""
