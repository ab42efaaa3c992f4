"""What is known of each charger, gathered for whoever asks: from the twin, its link, its reports and the upstream."""

from __future__ import annotations

from typing import Any

from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.reservations import Reservations
from connectors.ocpp.upstream.controller import Upstream
from connectors.ocpp.upstream.snapshot import RelayStatus
from gateway.charger_news import ChargerNews, words
from panel.cards import (
    ChargerCard,
    ChargerDetail,
    ChargerLine,
    ConflictLine,
    ReportLine,
    ReservationLine,
    UpstreamDetail,
    UpstreamLimitLine,
    UpstreamLine,
)
from panel.learned import learned_lines
from twin_core.models.charger import ChargerIdentity
from twin_core.models.ids import ChargerId
from twin_core.models.upkeep import UpkeepReport
from twin_core.ports import ChargerUpkeep
from twin_core.runtime import Runtime
from twin_core.state import ChargerState

_UNSAID = ChargerIdentity()


class ChargerCards:
    """Makes lines, details and cards of chargers.

    Args:
        runtime: the twin's, for what chargers are and what was learned of them.
        central: their links.
        news: what they reported of their own upkeep.
        upkeep: what they were told or asked that is on disk.
        reservations: connectors kept free.
        upstream: the second central system; None where the site has none.
    """

    def __init__(
        self,
        runtime: Runtime,
        central: CentralSystem,
        news: ChargerNews,
        *,
        upkeep: ChargerUpkeep,
        reservations: Reservations,
        upstream: Upstream | None,
    ) -> None:
        self._runtime = runtime
        self._central = central
        self._news = news
        self._upkeep = upkeep
        self._reservations = reservations
        self._upstream = upstream

    def lines(self) -> list[ChargerLine]:
        """Every charger of the site, adopted ones included."""
        statuses = {} if self._upstream is None else self._upstream.snapshot().chargers
        return [
            ChargerLine(**self._line(state), upstream=_upstream_line(statuses.get(charger)))
            for charger, state in self._runtime.twin.state.chargers.items()
        ]

    def detail(self, charger: ChargerId) -> ChargerDetail | None:
        """What anybody may see of one charger; None where it is not known."""
        state = self._runtime.twin.state.chargers.get(charger)
        return None if state is None else ChargerDetail(**self._detail(state))

    async def card(self, charger: ChargerId) -> ChargerCard | None:
        """Everything known of one charger; None where it is not known.

        Raises:
            StorageError: what is on disk of it cannot be read.
        """
        state = self._runtime.twin.state.chargers.get(charger)
        if state is None:
            return None
        counters = self._central.counters.get(charger, LinkCounters())
        known_list = await self._upkeep.local_list(charger)
        wanted = await self._upkeep.certificate_request(charger)
        return ChargerCard(
            **self._detail(state),
            list_version=None if known_list is None else known_list.version,
            list_tags=None if known_list is None else len(known_list.entries),
            certificate_wanted=None if wanted is None else wanted.csr,
            reservations=await self._reservation_lines(charger),
            counters={
                "frames_in": counters.frames_in,
                "frames_out": counters.frames_out,
                "calls": counters.calls,
                "timeouts": counters.timeouts,
                "late_answers": counters.late_answers,
                "connections": counters.connections,
            },
            refused=dict(counters.refused),
            flawed=dict(counters.flawed),
        )

    def _line(self, state: ChargerState) -> dict[str, Any]:
        identity = state.identity or _UNSAID
        connectors = self._runtime.twin.state.connectors
        status = {connector.id.number: connectors[connector.id].status for connector in state.spec.connectors}
        return {
            "charger": state.spec.id,
            "online": state.spec.id in self._central.connected,
            "vendor": identity.vendor,
            "model": identity.model,
            "firmware": identity.firmware,
            "status": {number: "" if said is None else said.value for number, said in status.items()},
        }

    def _detail(self, state: ChargerState) -> dict[str, Any]:
        news = self._news.of(state.spec.id)
        relay = None if self._upstream is None else self._upstream.of(state.spec.id)
        return {
            **self._line(state),
            "serial": (state.identity or _UNSAID).serial,
            "commissioned": state.abilities is not None,
            "firmware_update": _report_line(news.firmware),
            "upload": _report_line(news.upload),
            "security_event": _report_line(news.security),
            "learned": learned_lines(state.learned),
            "upstream": None if relay is None else _upstream_detail(relay.status()),
        }

    async def _reservation_lines(self, charger: ChargerId) -> tuple[ReservationLine, ...]:
        return tuple(
            ReservationLine(
                number=one.reservation_id,
                connector=one.connector_id.number,
                id_tag=one.id_tag,
                until=one.expires,
                state=one.state.value,
            )
            for one in await self._reservations.open(charger)
        )


def _report_line(report: UpkeepReport | None) -> ReportLine | None:
    return None if report is None else ReportLine(said=words(report), at=report.at.utc)


def _upstream_line(status: RelayStatus | None) -> UpstreamLine | None:
    return None if status is None else UpstreamLine(**_sums(status))


def _sums(status: RelayStatus) -> dict[str, Any]:
    return {
        "state": status.state.value,
        "waiting": status.waiting,
        "dropped": sum(status.dropped.values()),
        "conflicts": sum(status.conflicts.values()),
    }


def _upstream_detail(status: RelayStatus) -> UpstreamDetail:
    return UpstreamDetail(
        **_sums(status),
        since=status.since,
        trouble=status.trouble,
        delivered=status.delivered,
        dropped_by=dict(status.dropped),
        refused_by=dict(status.refused),
        conflicts_by=dict(status.conflicts),
        latest=tuple(ConflictLine(at=one.at, kind=one.kind.value, words=one.words) for one in status.latest),
        limits=tuple(
            UpstreamLimitLine(
                connector=one.connector,
                upstream_a=one.upstream_a,
                profile=one.profile,
                granted_a=one.granted_a,
                binds=one.binds,
            )
            for one in status.allowances
        ),
    )
