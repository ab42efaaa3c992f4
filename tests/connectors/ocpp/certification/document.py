"""The page of certification cases, made from the tests themselves.

`python -m tests.connectors.ocpp.certification.document > docs/certification.md` writes it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_TEST = re.compile(r"test_tc_(?P<case>\d{3}(?:_\d)?(?:_rsa|_ecdsa)?)_\w+")

_LISTED = """
001 003 004_1 004_2 005_1 007 010 011_1 011_2 012 013 014 017_1 017_2 018_1 019_1 019_2 021 023_1 023_2 023_3 024
026 028 030 031 032_1 037_1 037_3 039 040_1 040_2 042_1 042_2 043_1 043_3 043_4 043_5 044_1 044_2 044_3 045_1 045_2
046 047 048_1 048_2 048_3 048_4 049 051 052 053 054 055 056 057 059 061 064 066 067 073 074_rsa 074_ecdsa 075_1
075_2 076 077 078 079 080 081 083 085 086 087 088
"""
CASES = tuple(_LISTED.split())
"""The 78 cases that SteVe tests its central system by: 72 and 6 that need TLS."""

OPEN: Mapping[str, str] = dict.fromkeys(
    ("074_rsa", "074_ecdsa", "077", "083", "086", "087"), "needs TLS on our own socket, which is not spoken yet"
)
"""Cases without a test of our central system, and why."""

SIDES = {
    "test_certification_": "Our central system, against a scripted charger",
    "test_charge_point_certification_": "Our virtual charge point, against a scripted central system",
}
"""What is tested, by how the names of its files begin."""

_HEAD = """# Certification cases

Made from `tests/connectors/ocpp/certification/` by `python -m tests.connectors.ocpp.certification.document`; do not
edit.

**This is our own reading and no certificate.** The Open Charge Alliance certifies with a test tool of its own; nothing
here was run by it or comes from it. The numbers are those of its test cases for OCPP 1.6, the list is the one by which
SteVe tests its central system, and what each case means was learned from public material and the standard. The scripted
sides share no code with what they test, every message either way is held to the official schemas, and in every case
nothing may be refused, left unanswered or cut that the case does not name.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """One test: the case it is about, what it claims of it, and where it stands."""

    case: str
    says: str
    test: str


def claims_in(folder: Path, prefix: str) -> list[Claim]:
    """Claims of the tests in files whose names begin so, in order of their cases."""
    found = [claim for path in sorted(folder.glob(f"{prefix}*.py")) for claim in _claims_of(path)]
    return sorted(found, key=lambda claim: (CASES.index(claim.case), claim.test))


def _claims_of(path: Path) -> Iterator[Claim]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and (named := _TEST.fullmatch(node.name)):
            says = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            yield Claim(named["case"], says, f"{path.name}::{node.name}")


def page(claims: Mapping[str, Sequence[Claim]]) -> str:
    """The page.

    Args:
        claims: by the heading of what is tested.
    """
    parts = [_HEAD]
    for heading, found in claims.items():
        covered = len({claim.case for claim in found})
        rows = [f"| {_shown(claim.case)} | {claim.says} | `{claim.test}` |" for claim in found]
        parts.append(
            f"## {heading}\n\n{covered} of {len(CASES)} cases.\n\n| case | what it claims | test |\n|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    if OPEN:
        lines = [f"- {_shown(case)}: {why}" for case, why in OPEN.items()]
        parts.append("## Not tested on our central system\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def current_page() -> str:
    """The page as the tests are now."""
    return page({heading: claims_in(HERE, prefix) for prefix, heading in SIDES.items()})


def _shown(case: str) -> str:
    number, _, rest = case.partition("_")
    return f"TC_{number}" + (f"_{rest}" if rest.isdigit() else f" ({rest.upper()})" if rest else "")


if __name__ == "__main__":
    sys.stdout.write(current_page())
