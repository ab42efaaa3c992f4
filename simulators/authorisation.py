"""Who may charge: the local list, the cache and the central system, in the order OCPP 1.6 §3.5 asks them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from simulators.machine import Machine
from simulators.profile_store import seconds_of
from simulators.wire import CallError, LinkLostError, Payload

_CACHE = 200
"""Tags remembered; of more, the one remembered longest goes. A cache that forgets costs one Authorize."""
_STATUSES: Final = frozenset({"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"})


@dataclass(frozen=True, slots=True)
class TagInfo:
    """What is known of a tag.

    Attributes:
        status: one of AuthorizationStatus, OCPP 1.6 §7.2.
        expires_s: Unix time from which it counts as expired.
        parent: tag of the group it belongs to.
    """

    status: str
    expires_s: float = math.inf
    parent: str | None = None

    def holds(self, own_s: float) -> bool:
        """Whether it permits charging at a moment."""
        return self.status == "Accepted" and own_s < self.expires_s


def tag_info(raw: Payload) -> TagInfo:
    """An idTagInfo object.

    Raises:
        CallError, KeyError, ValueError: it is none.
    """
    status = raw["status"]
    if status not in _STATUSES:
        raise ValueError(f"{status!r} is no authorisation status")
    expiry = raw.get("expiryDate")
    return TagInfo(status, math.inf if expiry is None else seconds_of(expiry), raw.get("parentIdTag"))


def is_accepted(answer: Payload) -> bool:
    """Whether an answer says that the tag may charge; one that says nothing that can be read does not."""
    info = answer.get("idTagInfo")
    return isinstance(info, dict) and info.get("status") == "Accepted"


class Authorisation:
    """The local list and the cache of one charge point.

    Attributes:
        list_version: of the local list; 0 while it holds nothing.
        forgotten: tags that had to leave a full cache.
    """

    __slots__ = ("_cache", "_list", "_machine", "forgotten", "list_version")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._cache: dict[str, TagInfo] = {}
        self._list: dict[str, TagInfo] = {}
        self.list_version = 0
        self.forgotten = 0

    # Asking ----------------------------------------------------------------------------------------------------------

    def known(self, id_tag: str) -> TagInfo | None:
        """What is known of a tag here; the local list outranks the cache."""
        configuration = self._machine.configuration
        if configuration.flag("LocalAuthListEnabled") and id_tag in self._list:
            return self._list[id_tag]
        return self._cache.get(id_tag) if configuration.flag("AuthorizationCacheEnabled") else None

    async def permits(self, id_tag: str) -> bool:
        """Whether a tag may charge now, asking the central system where it has to be asked."""
        machine = self._machine
        if not machine.outbox.online:
            return self.permits_offline(id_tag)
        info = self.known(id_tag)
        if machine.configuration.flag("LocalPreAuthorize") and info and info.holds(machine.station.own_s):
            return True
        try:
            answer = await machine.ask("Authorize", {"idTag": id_tag})
        except (LinkLostError, TimeoutError, CallError):
            return self.permits_offline(id_tag)
        self.learn(id_tag, answer)
        return is_accepted(answer)

    def permits_offline(self, id_tag: str) -> bool:
        """Whether a tag may charge while nobody can be asked; one known to be refused never may."""
        configuration = self._machine.configuration
        if not configuration.flag("LocalAuthorizeOffline"):
            return False
        info = self.known(id_tag)
        if info is None:
            return configuration.flag("AllowOfflineTxForUnknownId")
        return info.holds(self._machine.station.own_s)

    def same_group(self, id_tag: str, other: str) -> bool:
        """Whether two tags are the same, or known to have the same parent."""
        parent = self.parent(id_tag)
        return id_tag == other or (parent is not None and parent == self.parent(other))

    def parent(self, id_tag: str) -> str | None:
        """The parent of a tag, as far as it is known here."""
        info = self.known(id_tag)
        return None if info is None else info.parent

    # Learning --------------------------------------------------------------------------------------------------------

    def learn(self, id_tag: str, answer: Payload) -> None:
        """Remember what an answer of the central system says of a tag; one that makes no sense teaches nothing."""
        raw = answer.get("idTagInfo")
        if not isinstance(raw, dict) or not self._machine.configuration.flag("AuthorizationCacheEnabled"):
            return
        try:
            info = tag_info(raw)
        except (CallError, KeyError, TypeError, ValueError):
            return
        self._cache.pop(id_tag, None)
        self._cache[id_tag] = info
        if len(self._cache) > _CACHE:
            del self._cache[next(iter(self._cache))]
            self.forgotten += 1

    def clear_cache(self, payload: Payload) -> Payload:
        """Answer ClearCache."""
        if not self._machine.configuration.flag("AuthorizationCacheEnabled"):
            return {"status": "Rejected"}
        self._cache.clear()
        return {"status": "Accepted"}

    # The local list --------------------------------------------------------------------------------------------------

    def local_list_version(self, payload: Payload) -> Payload:
        """Answer GetLocalListVersion: -1 while lists are switched off."""
        enabled = self._machine.configuration.flag("LocalAuthListEnabled")
        return {"listVersion": self.list_version if enabled else -1}

    def send_local_list(self, payload: Payload) -> Payload:
        """Answer SendLocalList; a list that cannot be taken whole is not taken at all."""
        version, kind = payload["listVersion"], payload["updateType"]
        entries = payload.get("localAuthorizationList", [])
        if not self._machine.configuration.flag("LocalAuthListEnabled"):
            return {"status": "NotSupported"}
        if kind == "Differential" and version <= self.list_version:
            return {"status": "VersionMismatch"}
        if kind not in ("Full", "Differential"):
            raise ValueError(f"{kind!r} is no update")
        updated = self._updated({} if kind == "Full" else dict(self._list), entries, complete=kind == "Full")
        if updated is None or version <= 0:
            return {"status": "Failed"}
        self._list = updated
        self.list_version = version
        return {"status": "Accepted"}

    def _updated(
        self, known: dict[str, TagInfo], entries: list[Payload], *, complete: bool
    ) -> dict[str, TagInfo] | None:
        """The list with entries put in and taken out; None where that is no list."""
        configuration = self._machine.configuration
        names = [entry["idTag"] for entry in entries]
        if not all(isinstance(name, str) for name in names):
            raise TypeError("an idTag is no text")
        if len(names) > configuration.number("SendLocalListMaxLength") or len(set(names)) < len(names):
            return None
        for entry in entries:
            raw = entry.get("idTagInfo")
            if raw is not None:
                known[entry["idTag"]] = tag_info(raw)
            elif complete:
                return None
            else:
                known.pop(entry["idTag"], None)
        return known if len(known) <= configuration.number("LocalAuthListMaxLength") else None
