"""Chargers and their answers as text for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from panel.orders import ChargerAnswer, ChargerCard, ChargerLine

_OUTCOMES = {
    "done": ("agreed", "green"),
    "refused": ("refused", "red"),
    "error": ("could not answer; it may or may not have acted", "red"),
    "silent": ("did not answer in time; it may or may not have acted", "yellow"),
    "offline": ("is offline, or its link broke before it answered", "yellow"),
}


def chargers_shown(chargers: list[ChargerLine]) -> RenderableType:
    """A line for each charger."""
    table = Table(box=None, pad_edge=False)
    for heading in ("charger", "link", "vendor", "model", "firmware", "connectors"):
        table.add_column(heading)
    for one in chargers:
        link = Text("online", "green") if one.online else Text("offline", "dim")
        table.add_row(one.charger, link, one.vendor, one.model, one.firmware, _connectors(one))
    return table


def card_shown(card: ChargerCard) -> RenderableType:
    """Everything known of one charger."""
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "charger": card.charger,
        "link": "online" if card.online else "offline",
        "made by": " ".join(part for part in (card.vendor, card.model, card.serial) if part),
        "firmware": " ".join(part for part in (card.firmware, card.firmware_update) if part),
        "takes setpoints": "yes" if card.commissioned else "not yet",
        "connectors": _connectors(card),
        "upload": card.upload,
        "security event": card.security_event,
        "own list of tags": "" if card.list_version is None else f"version {card.list_version}",
        "links": " · ".join(f"{name} {count}" for name, count in card.counters.items()),
        "refused": " · ".join(f"{cause} {count}" for cause, count in sorted(card.refused.items())),
        "against the schemas": " · ".join(f"{name} {count}" for name, count in sorted(card.flawed.items())),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    for one in card.reservations:
        table.add_row(f"reservation {one.number}", f"connector {one.connector} for {one.id_tag} until {one.until}")
    if card.certificate_wanted is None:
        return table
    return Group(table, Text("wants this certificate signed:"), Text(card.certificate_wanted))


def answer_shown(answer: ChargerAnswer) -> RenderableType:
    """What the charger said, in its own words; settings one a line."""
    words, style = _OUTCOMES[answer.outcome]
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
