"""docs/certification.md says what the tests claim, and every case is tested or said to be missing."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.connectors.ocpp.certification.document import CASES, HERE, SIDES, Side, page

PAGE = HERE.parents[3] / "docs" / "certification.md"


def test_the_page_is_current() -> None:
    current = PAGE.read_text(encoding="utf-8") == page()
    assert current, "run: python -m tests.connectors.ocpp.certification.document > docs/certification.md"


def test_there_are_78_cases() -> None:
    assert len(CASES) == len(set(CASES)) == 78


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.files)
def test_every_case_is_tested_once_on_each_side_or_said_to_be_missing(side: Side) -> None:
    tested = Counter(claim.case for claim in side.claims())
    assert [case for case in CASES if tested[case] + (case in side.missing) != 1] == []
    assert set(side.missing) <= set(CASES)


def test_every_claim_is_in_words() -> None:
    claims = [claim for side in SIDES for claim in side.claims()]
    assert [claim.test for claim in claims if not claim.says.endswith(".") or "|" in claim.says] == []


def test_no_test_of_a_case_escapes_the_page() -> None:
    listed = sorted(claim.test.partition("::")[2] for side in SIDES for claim in side.claims())
    texts = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    assert sorted(re.findall(r"^async def (test_tc_\w+)", texts, re.MULTILINE)) == listed
