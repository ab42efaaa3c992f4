"""Chargers and their answers as text for a terminal."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from panel.cards import ChargerCard, ChargerLine, LearnedLine, ReportLine, UpstreamDetail, UpstreamLine
from panel.orders import ChargerAnswer

_OUTCOMES = {
    "done": ("agreed", "green"),
    "refused": ("refused", "red"),
    "error": ("could not answer; it may or may not have acted", "red"),
    "silent": ("did not answer in time; it may or may not have acted", "yellow"),
    "offline": ("is offline, or its link broke before it answered", "yellow"),
}


def chargers_shown(chargers: list[ChargerLine]) -> RenderableType:
    """A line for each charger; what it has to do with an upstream where the site has one."""
    has_upstream = any(one.upstream is not None for one in chargers)
    table = Table(box=None, pad_edge=False)
    for heading in ("charger", "link", "vendor", "model", "firmware", "connectors", *(["upstream"] * has_upstream)):
        table.add_column(heading)
    for one in chargers:
        link = Text("online", "green") if one.online else Text("offline", "dim")
        upstream = [_upstream_sums(one.upstream)] if has_upstream else []
        table.add_row(one.charger, link, one.vendor, one.model, one.firmware, _connectors(one), *upstream)
    return table


def card_shown(card: ChargerCard) -> RenderableType:
    """Everything known of one charger."""
    tags = "" if card.list_tags is None else f", {card.list_tags} tags"
    rows = {
        "charger": card.charger,
        "link": "online" if card.online else "offline",
        "made by": " ".join(part for part in (card.vendor, card.model, card.serial) if part),
        "firmware": card.firmware,
        "firmware update": _reported(card.firmware_update),
        "takes setpoints": "yes" if card.commissioned else "not yet",
        "connectors": _connectors(card),
        "upload": _reported(card.upload),
        "security event": _reported(card.security_event),
        "own list of tags": "" if card.list_version is None else f"version {card.list_version}{tags}",
        "links": _counts(card.counters),
        "refused": _counts(dict(sorted(card.refused.items()))),
        "against the schemas": _counts(dict(sorted(card.flawed.items()))),
        **_upstream_rows(card.upstream),
    }
    for one in card.reservations:
        rows[f"reservation {one.number}"] = f"connector {one.connector} for {one.id_tag} until {_moment(one.until)}"
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    parts: list[RenderableType] = [table]
    if card.learned:
        parts += [Text(), learned_shown(card.learned)]
    if card.certificate_wanted is not None:
        parts += [Text(), Text("wants this certificate signed:"), Text(card.certificate_wanted)]
    return Group(*parts)


def learned_shown(learned: tuple[LearnedLine, ...]) -> RenderableType:
    """What is believed of a charger, from what, since when; the first column is what `forget --what` takes."""
    table = Table(box=None, pad_edge=False)
    table.add_column("learned", no_wrap=True)
    table.add_column()
    for one in learned:
        where = f"seen at {one.by} of the same model, not here yet: " if one.by else ""
        seen = "learned before evidence was kept" if one.at is None else f"{where}{one.seen}, {_moment(one.at)}"
        table.add_row(one.aspect, Group(Text(one.belief), Text(seen, "dim")))
    return table


def _upstream_rows(upstream: UpstreamDetail | None) -> dict[str, str]:
    """How it stands with the upstream, one fact a row."""
    if upstream is None:
        return {}
    since = "" if upstream.since is None else f" since {_moment(upstream.since)}"
    trouble = f": {upstream.trouble}" if upstream.trouble else ""
    newest = upstream.latest[-1] if upstream.latest else None
    return {
        "upstream": f"{upstream.state}{since}{trouble}",
        "upstream queue": f"{upstream.waiting} waiting · {upstream.delivered} delivered",
        "upstream dropped": _counts(upstream.dropped_by),
        "upstream refused": _counts(upstream.refused_by),
        "upstream conflicts": _counts(upstream.conflicts_by),
        "newest conflict": "" if newest is None else f"{newest.words}, {_moment(newest.at)}",
        "upstream limits": " · ".join(
            f"connector {one.connector} {one.upstream_a:g} A by {one.profile}{' (binds)' * (one.binds == 'upstream')}"
            for one in upstream.limits
            if one.upstream_a is not None
        ),
    }


def _upstream_sums(upstream: UpstreamLine | None) -> Text:
    if upstream is None:
        return Text()
    counts = {"waiting": upstream.waiting, "dropped": upstream.dropped, "conflicts": upstream.conflicts}
    told = [upstream.state, *(f"{count} {name}" for name, count in counts.items() if count)]
    return Text(" · ".join(told), {"up": "green", "idle": "dim"}.get(upstream.state, "yellow"))


def _reported(report: ReportLine | None) -> str:
    return "" if report is None else f"{report.said}, {_moment(report.at)}"


def _counts(counts: dict[str, int]) -> str:
    return " · ".join(f"{name} {count}" for name, count in counts.items())


def _moment(at: datetime) -> str:
    """A moment on the clock of whoever reads it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def answer_shown(answer: ChargerAnswer) -> RenderableType:
    """What the charger said, in its own words; settings one a line."""
    words, style = ("forgotten", "green") if answer.action == "Forget" else _OUTCOMES[answer.outcome]
    said = f": {answer.said}" if answer.said else ""
    number = "" if answer.number is None else f" (number {answer.number})"
    head = Text.assemble(f"{answer.charger} ", (words, style), f"{said}{number}")
    rest = {name: value for name, value in answer.payload.items() if name != "status"}
    settings = rest.pop("configurationKey", None)
    lines = [Text(f"  {name}: {value}") for name, value in rest.items() if value]
    for entry in settings if type(settings) is list else ():
        if type(entry) is dict:
            fixed = "  (read only)" if entry.get("readonly") is True else ""
            lines.append(Text(f"  {entry.get('key')} = {entry.get('value', '')}{fixed}"))
    return Group(head, *lines)


def _connectors(one: ChargerLine) -> str:
    return "  ".join(f"{number} {status or '?'}" for number, status in sorted(one.status.items()))
