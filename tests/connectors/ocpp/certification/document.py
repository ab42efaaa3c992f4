"""The page of certification cases, made from the tests themselves.

`python -m tests.connectors.ocpp.certification.document > docs/certification.md` writes it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
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


@dataclass(frozen=True, slots=True)
class Claim:
    """One test: the case it is about, what it claims of it, and where it stands."""

    case: str
    says: str
    test: str


_NOT_PLAYED = "our virtual charge point does not play that"


@dataclass(frozen=True, slots=True)
class Side:
    """One of our two sides.

    Attributes:
        heading: what is tested against what.
        files: how the names of its test files begin.
        missing: cases without a test, and why.
    """

    heading: str
    files: str
    missing: Mapping[str, str]

    def claims(self) -> list[Claim]:
        """What its tests claim, in order of their cases."""
        found = [claim for path in sorted(HERE.glob(f"{self.files}*.py")) for claim in _claims_of(path)]
        return sorted(found, key=lambda claim: CASES.index(claim.case))


SIDES = (
    Side(
        "Our central system, against a scripted charger",
        "test_certification_",
        {},
    ),
    Side(
        "Our virtual charge point, against a scripted central system",
        "test_charge_point_certification_",
        {
            "004_1": f"a tag shown before a vehicle is plugged in: {_NOT_PLAYED}",
            "004_2": f"as TC_004_1: {_NOT_PLAYED}",
            "017_2": f"a fixed cable: {_NOT_PLAYED}",
            "024": f"a lock that fails: {_NOT_PLAYED}",
            "030": f"a lock that fails: {_NOT_PLAYED}",
            "074_rsa": "its keys are of elliptic curves",
            "083": "a change of its security profile above 1: our virtual charge point does not play that",
        },
    ),
)


_HEAD = """# Certification cases

Made from `tests/connectors/ocpp/certification/` by `python -m tests.connectors.ocpp.certification.document`; do not
edit.

**This is our own reading and no certificate.** The Open Charge Alliance certifies with a test tool of its own; nothing
here was run by it or comes from it. The numbers are those of its test cases for OCPP 1.6, the list is the one by which
SteVe tests its central system, and what each case means was learned from public material and the standard. The scripted
sides share no code with what they test, every message either way is held to the official schemas, and in every case
nothing may be refused, left unanswered or cut that the case does not name.
"""


def _claims_of(path: Path) -> Iterator[Claim]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and (named := _TEST.fullmatch(node.name)):
            says = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            yield Claim(named["case"], says, f"{path.name}::{node.name}")


def page() -> str:
    """The page as the tests are now."""
    return "\n".join([_HEAD, *(_section(side) for side in SIDES)])


def _section(side: Side) -> str:
    claims = side.claims()
    rows = [f"| {_shown(claim.case)} | {claim.says} | `{claim.test}` |" for claim in claims]
    missing = [f"- {_shown(case)}: {why}" for case, why in side.missing.items()]
    counted = f"{len({claim.case for claim in claims})} of {len(CASES)} cases."
    table = "\n".join(["| case | what it claims | test |", "|---|---|---|", *rows])
    rest = "\n".join(["Without a test:\n", *missing, ""]) if missing else ""
    return "\n\n".join([f"## {side.heading}", counted, table, *filter(None, [rest])]).rstrip() + "\n"


def _shown(case: str) -> str:
    number, _, rest = case.partition("_")
    return f"TC_{number}" + (f"_{rest}" if rest.isdigit() else f" ({rest.upper()})" if rest else "")


if __name__ == "__main__":
    sys.stdout.write(page())
