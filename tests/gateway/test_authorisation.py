"""Whose tag may charge, as the site file says it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.authorisation import CentralList
from gateway.site_file import parse_site
from tests.fakes import EPOCH
from tests.gateway.site_texts import GOOD
from twin_core.errors import ConfigurationError
from twin_core.models.authorisation import TagStanding, TagStatus
from twin_core.models.ids import IdTag

TAGS = """
[[tags]]
id_tag = "EV-1"
group = "TEAM"

[[tags]]
id_tag = "EV-2"
blocked = true

[[tags]]
id_tag = "EV-3"
expires = 2026-06-01T12:00:00Z

[[tags]]
id_tag = "EV-4"
group = "GONE"

[[tags]]
id_tag = "GONE"
expires = 2026-05-01T00:00:00Z

[[fleet]]
id_tag = "BUS"
"""


def central(text: str) -> CentralList:
    return CentralList(parse_site(GOOD + text, "x.toml")[0])


def status(listed: CentralList, tag: str, later_s: float = 0.0) -> str:
    return listed.standing(IdTag(tag), EPOCH + timedelta(seconds=later_s)).status.value


def test_a_site_that_lists_nobody_lets_anybody_charge() -> None:
    assert status(central('[[fleet]]\nid_tag = "BUS"\n'), "ANYBODY") == "Accepted"


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("EV-1", "Accepted"),
        ("EV-2", "Blocked"),
        ("EV-3", "Expired"),
        ("EV-4", "Expired"),
        ("BUS", "Accepted"),
        ("STRANGER", "Invalid"),
    ],
)
def test_a_site_that_lists_tags_says_of_each_what_it_is(tag: str, said: str) -> None:
    assert status(central(TAGS), tag) == said


def test_a_tag_expires_at_its_moment_and_not_before() -> None:
    assert status(central(TAGS), "EV-3", -0.001) == "Accepted"
    assert status(central(TAGS), "EV-3") == "Expired"


def test_an_answer_names_group_and_expiry() -> None:
    known = central(TAGS).standing(IdTag("EV-1"), EPOCH)
    assert known == TagStanding(TagStatus.ACCEPTED, None, IdTag("TEAM"))
    assert central(TAGS).standing(IdTag("EV-3"), EPOCH).expires == EPOCH


def test_a_blocked_group_blocks_its_members() -> None:
    text = '[[tags]]\nid_tag = "A"\ngroup = "G"\n[[tags]]\nid_tag = "G"\nblocked = true\n'
    assert status(central(text), "A") == "Blocked"


def test_free_vend_lets_strangers_charge_and_keeps_out_who_is_blocked() -> None:
    free = central(TAGS + "\n[authorisation]\nfree_vend = true\n")
    assert status(free, "STRANGER") == "Accepted"
    assert status(free, "EV-2") == "Blocked"


def test_the_fleet_can_be_left_out() -> None:
    assert status(central(TAGS + "\n[authorisation]\nfleet = false\n"), "BUS") == "Invalid"


def test_an_expiry_without_a_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="timezone"):
        central('[[tags]]\nid_tag = "A"\nexpires = 2026-06-01T12:00:00\n')


def test_what_chargers_keep_says_the_same_as_the_central_list() -> None:
    listed = central(TAGS)
    entries = listed.entries(EPOCH)
    assert [entry.id_tag for entry in entries] == ["BUS", "EV-1", "EV-2", "EV-3", "EV-4", "GONE"]
    assert all(entry.standing == listed.standing(entry.id_tag, EPOCH) for entry in entries)


CONCURRENT = """
[authorisation]
max_concurrent = 1

[[tags]]
id_tag = "FIRM"
max_concurrent = 2

[[tags]]
id_tag = "EV-1"
group = "FIRM"

[[tags]]
id_tag = "EV-2"
group = "FIRM"
max_concurrent = 3

[[tags]]
id_tag = "LONER"
group = "NOT-LISTED"
"""


@pytest.mark.parametrize(
    ("tag", "limits"),
    [
        ("EV-1", [({"FIRM", "EV-1", "EV-2"}, 2), ({"EV-1"}, 1)]),
        ("EV-2", [({"EV-2"}, 3), ({"FIRM", "EV-1", "EV-2"}, 2)]),
        ("FIRM", [({"FIRM", "EV-1", "EV-2"}, 2)]),
        ("LONER", [({"LONER"}, 1)]),
        ("STRANGER", [({"STRANGER"}, 1)]),
    ],
)
def test_a_tag_and_its_group_may_have_as_many_transactions_as_the_site_says(
    tag: str, limits: list[tuple[set[str], int]]
) -> None:
    found = central(CONCURRENT).concurrency(IdTag(tag))
    assert [(set(limit.tags), limit.most) for limit in found] == limits


def test_a_site_that_says_nothing_of_it_lets_a_tag_have_any_number_of_transactions() -> None:
    assert central(TAGS).concurrency(IdTag("EV-1")) == ()
