"""Who may connect, with which password, and whose tag may charge."""

from __future__ import annotations

import pytest

from gateway.directory import SiteDirectory
from gateway.site_file import parse_site, site_tree
from tests.fakes import EPOCH
from tests.gateway.site_texts import GOOD, with_line
from twin_core.errors import ConfigurationError
from twin_core.models.authorisation import TagStatus
from twin_core.models.ids import ChargerId, IdTag


def directory(text: str) -> SiteDirectory:
    site, _ = parse_site(text, "x.toml")
    return SiteDirectory(site, site_tree(site))


def may_charge(found: SiteDirectory, tag: str) -> bool:
    return found.authorise(IdTag(tag), EPOCH).status is TagStatus.ACCEPTED


def test_an_unknown_charge_point_is_refused_unless_the_site_adopts() -> None:
    assert directory(GOOD).find(ChargerId("STRANGER")) is None
    adopted = directory(with_line("", "adopt_unknown = true")).find(ChargerId("STRANGER"))
    assert adopted is not None
    assert adopted.adopted
    assert len(adopted.connectors) == 1
    assert not adopted.connectors[0].rotation_known
    assert adopted.connectors[0].assumed_a is None


def test_a_stranger_named_like_a_node_of_the_site_is_not_adopted() -> None:
    assert directory(with_line("", "adopt_unknown = true")).find(ChargerId("feeder")) is None


def test_the_site_s_own_charger_is_found_as_installed() -> None:
    found = directory(with_line("", "adopt_unknown = true")).find(ChargerId("CP1"))
    assert found is not None
    assert not found.adopted


def test_passwords_are_asked_of_whom_the_site_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "open sesame")
    monkeypatch.setenv("STRANGERS", "guest")
    text = with_line('id = "CP1"', 'password_env = "ONE"')
    text = f'adopt_unknown = true\nadopt_password_env = "STRANGERS"\n{text}'
    found = directory(text)
    assert found.password(ChargerId("CP1")) == "open sesame"
    assert found.password(ChargerId("CP2")) is None
    assert found.password(ChargerId("STRANGER")) == "guest"
    assert "sesame" not in repr(vars(found))


@pytest.mark.parametrize("value", [None, ""])
def test_a_password_that_is_not_set_is_an_error_and_not_an_open_door(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONE", raising=False)
    if value is not None:
        monkeypatch.setenv("ONE", value)
    with pytest.raises(ConfigurationError, match="ONE"):
        directory(with_line('id = "CP1"', 'password_env = "ONE"'))


def test_every_tag_may_charge_unless_the_site_lists_them() -> None:
    assert may_charge(directory(GOOD), "ANYBODY")
    listed = directory(with_line("[ocpp]", 'id_tags = ["EV-1"]'))
    assert may_charge(listed, "EV-1")
    assert not may_charge(listed, "EV-2")
    assert not may_charge(directory(with_line("[ocpp]", "id_tags = []")), "EV-1")
