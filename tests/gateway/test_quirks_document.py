"""docs/quirks.md says what the catalogue says, and every entry of the field notes is in it, with a test."""

from __future__ import annotations

from pathlib import Path

from simulators.quirks import CATALOGUE, QUIRKS
from simulators.quirks.document import claims_in, page

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "quirks.md"
LAST = {"Q": 24, "T": 11, "B": 9, "X": 16}
FIELD_NOTES = {f"{letter}{n}" for letter, last in LAST.items() for n in range(1, last + 1)}


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(claims_in(HERE))


def test_every_entry_of_the_field_notes_is_a_fault_mode() -> None:
    assert {quirk.id for quirk in CATALOGUE} == FIELD_NOTES


def test_every_entry_of_the_field_notes_has_a_test() -> None:
    assert set(claims_in(HERE)) == FIELD_NOTES


def test_every_fault_mode_is_named_in_a_test() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_quirks_*.py"))
    assert [quirk.name for quirk in CATALOGUE if f'"{quirk.name}"' not in texts] == []


def test_no_two_share_a_name() -> None:
    assert len({quirk.name for quirk in CATALOGUE}) == len(CATALOGUE)
    assert len(QUIRKS) > len(CATALOGUE)
