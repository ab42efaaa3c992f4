"""Two central systems' words on one tag, made one: it may charge where both say so. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.ocpp import translate
from connectors.ocpp.frames import Payload

ACCEPTED = "Accepted"
_STATUSES = frozenset({"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"})


@dataclass(frozen=True, slots=True)
class Joined:
    """What the charger is told, and how the two differed; empty where they did not."""

    info: Payload
    differed: str = ""


def joined(ours: Payload, theirs: Payload | None) -> Joined:
    """One idTagInfo of two; ours alone where the upstream said nothing that can be read.

    A refusal goes before a consent, ours before theirs. What the upstream adds to a consent (the end of its validity,
    the group) is passed on where we say nothing of it.
    """
    if theirs is None or theirs.get("status") not in _STATUSES:
        return Joined(ours)
    mine, other = ours.get("status"), theirs["status"]
    if mine != ACCEPTED:
        return Joined(ours, f"the depot says {mine}, the upstream accepts" if other == ACCEPTED else "")
    info = {**_passed_on(theirs), **ours, "status": other}
    return Joined(info, "" if other == ACCEPTED else f"the depot accepts, the upstream says {other}")


def _passed_on(theirs: Payload) -> Payload:
    passed: Payload = {}
    expiry = theirs.get("expiryDate")
    if translate.timestamp(expiry) is not None:
        passed["expiryDate"] = expiry
    group = theirs.get("parentIdTag")
    if type(group) is str and 0 < len(group) <= 20:
        passed["parentIdTag"] = group
    return passed


def tag_info(payload: Payload) -> Payload | None:
    """The idTagInfo of an answer; None where there is none."""
    found = payload.get("idTagInfo")
    return found if type(found) is dict else None
