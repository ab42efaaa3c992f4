"""A desk that knows a few chargers and carries out nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from panel.cards import (
    ChargerCard,
    ChargerDetail,
    ChargerLine,
    ConflictLine,
    LearnedLine,
    ReportLine,
    UpstreamDetail,
    UpstreamLimitLine,
)
from panel.orders import ChargerAnswer, Order
from tests.panel.depot import NOON


@dataclass
class KnowingDesk:
    details: dict[str, ChargerDetail] = field(default_factory=dict)

    def chargers(self) -> list[ChargerLine]:
        return []

    def detail(self, name: str) -> ChargerDetail | None:
        return self.details.get(name)

    async def charger(self, name: str) -> ChargerCard | None:
        return None

    async def carry_out(self, name: str, order: Order) -> ChargerAnswer | None:
        return None


def detail(name: str, words: str) -> ChargerDetail:
    """A charger of which everything is known, in these words wherever a stranger may choose them."""
    upstream = UpstreamDetail(
        state="away",
        waiting=12,
        dropped=2,
        conflicts=1,
        since=NOON,
        trouble=words,
        delivered=7,
        dropped_by={"Heartbeat: no link": 2},
        refused_by={"upstream-silent": 3},
        conflicts_by={"tag": 1},
        latest=(ConflictLine(at=NOON, kind="tag", words=words),),
        limits=(UpstreamLimitLine(connector=1, upstream_a=10.0, profile=words, granted_a=16.0, binds="upstream"),),
    )
    learned = (
        LearnedLine(aspect="pause", belief="cannot be paused, only kept at 8 A", seen="refused less", at=NOON, by=""),
        LearnedLine(aspect="delay", belief="applies a limit 35 s late", seen="drew more", at=NOON, by="CP-02"),
    )
    return ChargerDetail(
        charger=name,
        online=True,
        vendor=words,
        model=words,
        firmware=words,
        status={1: "Charging"},
        upstream=upstream,
        serial=words,
        commissioned=True,
        firmware_update=ReportLine(said="Installed", at=NOON),
        upload=None,
        security_event=ReportLine(said=words, at=NOON),
        learned=learned,
    )
