"""Which charge points may connect, with what password, and whose tag may charge: read from the site file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from pydantic import SecretStr

from gateway.authorisation import CentralList
from gateway.secret import secret
from gateway.site_file import SiteFile
from twin_core.models.authorisation import ConcurrencyLimit, ListedTag, TagStanding
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.ids import ChargerId, ConnectorId, IdTag
from twin_core.models.quantities import ALL_PHASES
from twin_core.models.site import SiteTree


class SiteDirectory:
    """The site file as a ChargerDirectory.

    Unknown charge points are refused, or taken in on conservative defaults where the site says `adopt_unknown = true`.

    Attributes:
        adopted: tells which charge points were taken in so far; beyond `adopt_most` of them no more are, since each
            counts at all it may draw until it has confirmed a fallback.

    Raises:
        ConfigurationError: a password's environment variable is not set.
    """

    def __init__(self, site: SiteFile, tree: SiteTree) -> None:
        self._known = dict(tree.charger_by_id)
        self._adopts = site.adopt_unknown
        self._adopt_most = site.adopt_most
        self.adopted: Callable[[], Collection[ChargerId]] = tuple
        self._fallback_a = site.fallback_a
        self._tags = CentralList(site)
        self._adopt_password = secret(site.adopt_password_env, "password of adopted charge points")
        self._passwords: dict[ChargerId, SecretStr] = {}
        for charger in site.chargers:
            password = secret(charger.password_env, f"password of {charger.id}")
            if password is not None:
                self._passwords[ChargerId(charger.id)] = password
        self._taken_names = frozenset(ChargerId(node.id) for node in tree.nodes)

    def find(self, charger: ChargerId) -> ChargerSpec | None:
        """The charger as installed, or as adopted; None to refuse it."""
        known = self._known.get(charger)
        if known is None and self._adopts and charger not in self._taken_names and self._has_room_for(charger):
            # Made anew each time: whoever only knocks, and shows the wrong password, must leave no trace.
            return _adopted(charger, self._fallback_a)
        return known

    def _has_room_for(self, charger: ChargerId) -> bool:
        adopted = self.adopted()
        return charger in adopted or len(adopted) < self._adopt_most

    def password(self, charger: ChargerId) -> str | None:
        """The password it must show; None when none is asked for."""
        found = self._passwords.get(charger)
        if found is None and charger not in self._known:
            found = self._adopt_password
        return None if found is None else found.get_secret_value()

    @property
    def asks_passwords(self) -> bool:
        """Whether any charge point has to show one; then nobody is told which identities exist."""
        return bool(self._passwords) or self._adopt_password is not None

    def authorise(self, id_tag: IdTag, at: datetime) -> TagStanding:
        """What is known of a tag: any may charge, unless the site lists them."""
        return self._tags.standing(id_tag, at)

    def concurrency(self, id_tag: IdTag) -> tuple[ConcurrencyLimit, ...]:
        """How many transactions may run at once of a tag, and of its group."""
        return self._tags.concurrency(id_tag)

    def listed_tags(self, at: datetime) -> tuple[ListedTag, ...]:
        """Every tag the site lists, as chargers may keep them for when they are offline."""
        return self._tags.entries(at)


def _adopted(identity: ChargerId, fallback_a: float) -> ChargerSpec:
    """Conservative defaults for a charge point that no site file names: one connector, wiring unknown."""
    connector = ConnectorSpec(ConnectorId(identity, 1), fallback_a=fallback_a, phases=ALL_PHASES, rotation_known=False)
    return ChargerSpec(identity, (connector,), adopted=True)
