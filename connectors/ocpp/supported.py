"""The table of supported messages, made from `routing` for a page of the manual.

`python -m connectors.ocpp.supported docs/ocpp.md` writes it into the page, between its two marks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from connectors.ocpp.incoming.answering import Durable
from connectors.ocpp.routing import INCOMING, OUTGOING, FeatureProfile

BEGIN = "<!-- table of messages: made by `python -m connectors.ocpp.supported docs/ocpp.md` -->"
END = "<!-- end of the table of messages -->"


def supported_messages() -> str:
    """The table in Markdown: profile by profile, first what chargers ask, then what they are asked."""
    lines = ["| message | asked by | profile | what it does |", "|---|---|---|---|"]
    for profile in FeatureProfile:
        for action, answering in INCOMING.items():
            if answering.profile is profile:
                durable = " Answered when on disk." if isinstance(answering.by, Durable) else ""
                does = _summary(answering.by.handle.__doc__) + durable
                lines.append(f"| `{action}` | charger | {profile} | {does} |")
        for action, asking in OUTGOING.items():
            if asking.profile is profile:
                does = _summary(asking.by.__doc__)
                lines.append(f"| `{action}` | gateway | {profile} | {does} |")
    return "\n".join(lines)


def with_table(page: str) -> str:
    """A page with its table brought up to date.

    Raises:
        ValueError: the page has not the two marks that the table stands between.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{supported_messages()}\n{END}{after}"


def _summary(docstring: str | None) -> str:
    return " ".join((docstring or "").split("\n\n")[0].split())


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
