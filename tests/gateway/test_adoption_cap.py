"""An adopting depot is not open without end."""

from __future__ import annotations

from gateway.directory import SiteDirectory
from gateway.site_file import parse_site, site_tree
from twin_core.models.ids import ChargerId

SITE = 'name = "yard"\nadopt_unknown = true\nadopt_most = 2\n[grid]\nlimit_a = 63\n'


def test_beyond_the_most_a_site_adopts_only_those_already_adopted_are_let_in() -> None:
    site, _ = parse_site(SITE, "test")
    directory = SiteDirectory(site, site_tree(site))
    taken = {ChargerId("A"), ChargerId("B")}
    assert directory.find(ChargerId("C")) is not None
    directory.adopted = lambda: taken
    assert directory.find(ChargerId("C")) is None
    assert directory.find(ChargerId("A")) is not None
