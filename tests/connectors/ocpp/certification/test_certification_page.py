"""docs/certification.md says what the tests claim, and every case is tested or listed as open."""

from __future__ import annotations

import re
from collections import Counter

from tests.connectors.ocpp.certification.document import CASES, HERE, OPEN, SIDES, claims_in, current_page

PAGE = HERE.parents[3] / "docs" / "certification.md"
CENTRAL, CHARGE_POINT = SIDES


def test_the_page_is_current() -> None:
    made = current_page()
    assert PAGE.read_text(encoding="utf-8") == made, (
        "run: python -m tests.connectors.ocpp.certification.document > docs/certification.md"
    )


def test_every_case_is_tested_once_on_our_central_system_or_listed_as_open() -> None:
    tested = Counter(claim.case for claim in claims_in(HERE, CENTRAL))
    assert set(tested.values()) == {1}
    assert set(tested) | set(OPEN) == set(CASES)
    assert set(tested) & set(OPEN) == set()
    assert len(CASES) == len(set(CASES)) == 78


def test_every_claim_is_in_words() -> None:
    claims = [claim for prefix in SIDES for claim in claims_in(HERE, prefix)]
    assert [claim.test for claim in claims if not claim.says.endswith(".") or "|" in claim.says] == []


def test_no_test_of_a_case_escapes_the_page() -> None:
    listed = {claim.test.partition("::")[2] for prefix in SIDES for claim in claims_in(HERE, prefix)}
    texts = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    assert sorted(re.findall(r"^async def (test_tc_\w+)", texts, re.MULTILINE)) == sorted(listed)
