"""The central list: whose tag may charge, read from the site file."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gateway.site_file import SiteFile
from twin_core.models.authorisation import ConcurrencyLimit, ListedTag, TagStanding, TagStatus
from twin_core.models.ids import IdTag

_FREE = TagStanding(TagStatus.ACCEPTED)
_UNKNOWN = TagStanding(TagStatus.INVALID)


class CentralList:
    """What the site file says of tags.

    A site that lists no tags lets any tag charge. One that does accepts those listed and those of its fleet, and others
    only where vending is free. A tag is no better than its group: where the group is blocked or expired, so is the tag.
    """

    def __init__(self, site: SiteFile) -> None:
        table = site.authorisation
        listed = site.ocpp.id_tags is not None or bool(site.tags)
        self._unknown = _FREE if table.free_vend or not listed else _UNKNOWN
        self._tags: dict[IdTag, TagStanding] = {}
        if listed:
            self._tags |= {IdTag(tag): _FREE for tag in (site.ocpp.id_tags or ())}
            self._tags |= {IdTag(vehicle.id_tag): _FREE for vehicle in site.fleet if table.fleet}
        for tag in site.tags:
            parent = None if tag.group is None else IdTag(tag.group)
            status = TagStatus.BLOCKED if tag.blocked else TagStatus.ACCEPTED
            self._tags[IdTag(tag.id_tag)] = TagStanding(status, tag.expires, parent)
        self._most_of_any = table.max_concurrent
        self._most = {IdTag(tag.id_tag): tag.max_concurrent for tag in site.tags if tag.max_concurrent is not None}
        self._members: dict[IdTag, set[IdTag]] = {}
        for name, known in self._tags.items():
            for group in (name, known.parent):
                if group is not None:
                    self._members.setdefault(group, {group}).add(name)

    def standing(self, id_tag: IdTag, at: datetime) -> TagStanding:
        """What is known of a tag at a moment."""
        known = self._tags.get(id_tag)
        if known is None:
            return self._unknown
        for tag in (known, None if known.parent is None else self._tags.get(known.parent)):
            if tag is None:
                continue
            if tag.status is not TagStatus.ACCEPTED:
                return replace(known, status=tag.status)
            if tag.expires is not None and not at < tag.expires:
                return replace(known, status=TagStatus.EXPIRED)
        return known

    def concurrency(self, id_tag: IdTag) -> tuple[ConcurrencyLimit, ...]:
        """How many transactions may run at once: of the tag, and of everybody in its group together."""
        known = self._tags.get(id_tag, _UNKNOWN)
        limits = [
            ConcurrencyLimit(frozenset(self._members[tag]), self._most[tag])
            for tag in (id_tag, known.parent)
            if tag is not None and tag in self._most
        ]
        if id_tag not in self._most and self._most_of_any is not None:
            limits.append(ConcurrencyLimit(frozenset({id_tag}), self._most_of_any))
        return tuple(limits)

    def entries(self, at: datetime) -> tuple[ListedTag, ...]:
        """Every listed tag, in order, as a charger may keep it for when it is offline."""
        return tuple(ListedTag(tag, self.standing(tag, at)) for tag in sorted(self._tags))
