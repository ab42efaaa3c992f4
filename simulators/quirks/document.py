"""The catalogue as a page: `python -m simulators.quirks.document tests/gateway > docs/quirks.md`."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulators.quirks.behaviour import Quirk
from simulators.quirks.catalogue import CATALOGUE
from simulators.quirks.presets import PRESETS

GROUPS = {"Q": "Charging profiles", "T": "Links", "B": "Boot and settings", "X": "Transactions and meters"}

_HEAD = """# Quirks of real charge points

Made from `simulators/quirks/` by `python -m simulators.quirks.document tests/gateway`; do not edit. Each row is one
fault mode of the virtual charge point: a scenario names it under `[scenario.quirks]`. Each test runs the whole gateway
against it beside an ordinary charger, on a connection too small for both, while an oracle compares true currents with
the limit every second. Sources are issues of the named projects, written `project#number`.

## What an unproven charger may cost

Every charger is unproven until its draw was seen to come down to a lower limit and to stand there; its first vehicle is
offered 11 A, then 8 A, for about a minute. Until then the envelope keeps room for all it can draw beside the others,
and a tag that may charge hears so only once they have made that room; it is kept for two minutes from there on, for a
vehicle that is plugged in afterwards. A vehicle that is full, or takes less than 7.5 A, proves nothing: the room is
kept for as long as it stays. So no test but one allows a second above a limit, whatever a charger does that was never
seen to obey. What this rests on:

- one charger at a time that lies, of all that hang on one limit and have a vehicle but no proof yet;
- a limit that bears all that one charger can draw. What exceeds a limit alone, nobody else's restraint can bear; and
  where less than 11 A would be left beside it, those 11 A are used all the same to prove one charger after the other;
- a charger that waits for the answer to `Authorize`, or whose vehicle needs as long to begin as the others to come down
  (a tick and a vehicle's ramp, some 7 s): with free vend nobody asks before a vehicle draws;
- others that come down within 20 s: one that is out of reach holds what it was granted until its lease ends.

The one test is Q16's second: that a charger which obeyed for ten minutes will not from the eleventh on is known to
nobody before its draw shows it. Then a limit may be exceeded for up to 15 s, by what it draws above its grant: the next
sample, five seconds in which no newer one refutes it, a tick, and the others' ramp. It happens once; the proof is lost.
"""


def claims_in(folder: Path) -> dict[str, list[str]]:
    """Tests by the id of the quirk they are about, such as Q14, each as `file::test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("test_quirks_*.py")):
        for name in re.findall(r"^def (test_[qtbx]\d+_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            for quirk_id in re.findall(r"(?<=_)([qtbx]\d+)(?=_)", name):
                found[quirk_id.upper()].append(f"{path.name}::{name}")
    return found


def page(tests: Mapping[str, Sequence[str]]) -> str:
    """The page.

    Args:
        tests: by the id of a quirk.
    """
    parts = [_HEAD]
    for letter, title in GROUPS.items():
        rows = [_row(quirk, tests) for quirk in CATALOGUE if quirk.id[0] == letter]
        parts.append(f"## {title}\n\n| id | name | what it does | what we do | source |\n|---|---|---|---|---|\n")
        parts[-1] += "\n".join(rows) + "\n"
        mine = [(quirk_id, names) for quirk_id, names in tests.items() if quirk_id[0] == letter]
        lines = [f"- {quirk_id}: `{name}`" for quirk_id, names in sorted(mine, key=_order) for name in names]
        parts.append("Tests:\n\n" + "\n".join(lines) + "\n")
    presets = [
        f"| `{preset.name}` | {preset.what} | {', '.join(f'`{quirk.name}`' for quirk in preset.quirks)} "
        f"| {preset.source} |"
        for preset in PRESETS.values()
    ]
    head = "## Vendors' models\n\n| name | model | made of | source |\n|---|---|---|---|\n"
    return "\n".join([*parts, head + "\n".join(presets) + "\n"])


def _row(quirk: Quirk, tests: Mapping[str, Sequence[str]]) -> str:
    tested = "" if tests.get(quirk.id) else " (no test)"
    return f"| {quirk.id}{tested} | `{quirk.name}` | {quirk.what} | {quirk.response} | {quirk.source} |"


def _order(item: tuple[str, Sequence[str]]) -> int:
    return int(item[0][1:])


if __name__ == "__main__":
    sys.stdout.write(page(claims_in(Path(sys.argv[1]))))
