"""The gateway of one depot: everything wired together, opened in order and closed in reverse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from connectors.mqtt.client import MqttLink, MqttSettings
from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.settings import CentralSystemSettings
from connectors.ocpp.upstream.controller import Upstream
from connectors.store.database import Store
from connectors.store.history import HistorySink
from connectors.store.ledger import random_transaction_id
from connectors.store.recovery import recover
from connectors.store.upstream import UpstreamOutbox
from gateway.billing_peak import QUARTER_S, peak_so_far_kw
from gateway.caught import Caught
from gateway.charger_news import ChargerNews
from gateway.collector import collect_now_and_then
from gateway.directory import SiteDirectory
from gateway.learning import foresight_of
from gateway.loop_lag import LoopLag
from gateway.meters import meter_bindings
from gateway.offline_lists import OfflineLists
from gateway.operator_desk import Desk
from gateway.operator_key import OperatorKey, new_key, published_key
from gateway.planner_process import InlineSolver, PlannerProcess
from gateway.report import EnvelopeWatch
from gateway.secret import secret
from gateway.side_jobs import kept_up
from gateway.site_faults import site_faults
from gateway.site_file import SiteFile, site_terms, site_tree, tariff
from gateway.site_twin import new_twin, runtime_settings, twin_settings
from gateway.telemetry import Telemetry
from gateway.tls import depot_ca, listening_tls
from gateway.upstream_table import upstream_settings
from gateway.views import Views
from panel.feed import PanelFeed
from panel.guard import LOOPBACK_HOSTS
from panel.history import SITE_FIELDS
from panel.server import PanelServer, create_app
from panel.shapes import PanelView
from twin_core.cycle import Twin
from twin_core.errors import ConfigurationError, StorageError
from twin_core.models.authorisation import ListedTag
from twin_core.models.events import PeakMeasured, TariffChanged, TermsChanged
from twin_core.models.ids import ChargerId
from twin_core.ports import Clock, PlanSolver, Point, TelemetrySink
from twin_core.runtime import Runtime

logger = logging.getLogger(__name__)

VIEW_EVERY_WALL_S = 1.0
FASTEST_ANSWER_WALL_S = 0.5
HOUSEKEEPING_S = 3600.0
NEWCOMER_SPARE_S = 13.0
"""Beside a tick and the vehicles' ramp, for messages, until a newcomer may charge though there is no room yet."""
JOURNAL = "journal.db"
HISTORY = "history.db"
EFFECTIVE_SITE = "site.json"
"""Beside the journal: the site as it was run, every default and option filled in, for replays."""

TARIFF_AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DepotOptions:
    """How a gateway runs, beside what its site file says.

    Attributes:
        speed: how much faster than the wall the loop's clock runs.
        virtual: the loop's clock waits for nobody. Everything then happens in the loop's own thread, planning and disk
            work included, and no broker is dialled: whoever runs the gateway hands messages to `mqtt.intake`.
        draw_transaction_id: numbers of transactions; random ones unless a run is to be repeated exactly.
    """

    speed: float = 1.0
    virtual: bool = False
    draw_transaction_id: Callable[[], int] = random_transaction_id


class Depot:
    """One depot's gateway. `async with Depot(...) as depot: await depot.run()`.

    Raises:
        ConfigurationError: on construction, when the site cannot be run safely as written.
    """

    def __init__(self, site: SiteFile, *, clock: Clock, options: DepotOptions | None = None) -> None:
        self.site = site
        self.tree = site_tree(site)
        self.options = options or DepotOptions()
        self.settings = twin_settings(site)
        faults = site_faults(site, self.tree, self.settings.envelope)
        if faults:
            raise ConfigurationError(
                "\n".join(["this site cannot be run safely:", *(f"  {fault}" for fault in faults)])
            )
        self.lag = LoopLag(self.options.speed)
        self.watch = EnvelopeWatch()
        self.feed = PanelFeed()
        self._views = Views(VIEW_EVERY_WALL_S * self.options.speed)
        self.directory = SiteDirectory(site, self.tree)
        self._clock = clock
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            data = self.site.data_dir
            data.mkdir(parents=True, exist_ok=True)
            (data / EFFECTIVE_SITE).write_text(self.site.model_dump_json(indent=2), encoding="utf-8")
            self.store = await stack.enter_async_context(
                Store(
                    data / JOURNAL,
                    clock=self._clock,
                    threaded=not self.options.virtual,
                    draw_id=self.options.draw_transaction_id,
                )
            )
            self.sinks = await self._open_sinks(stack, data)
            self.telemetry = Telemetry(self.sinks, every_s=self._telemetry_every_s())
            self.solver = await self._open_solver(stack)
            self.runtime = Runtime(
                self._new_twin(),
                clock=self._clock,
                journal=self.store,
                solver=self.solver,
                settings=runtime_settings(self.site),
                observers=[
                    self.watch,
                    self.telemetry,
                    self._views,
                    Caught(self._doubt),
                ],
            )
            self.directory.adopted = self._adopted
            recovery = await recover(self.store, self._clock.now())
            self._recalled = {event.charger_id: event.learned for event in recovery.learned if event.learned}
            self._models = {event.model: event.learned for event in recovery.models if event.learned}
            self.runtime.take_in(recovery.events())
            await self._learn()
            await self._look_up_peak()
            self.news = ChargerNews(self.runtime, recovery.upkeep)
            self.upstream = self._views.upstream = await self._open_upstream(stack)
            self.central = await stack.enter_async_context(self._new_central_system())
            self.desk = Desk(
                self.runtime,
                self.central,
                self.news,
                upkeep=self.store,
                clock=self._clock,
                draw=self.options.draw_transaction_id,
                tags=self._listed_tags,
                upstream=self.upstream,
                ca=depot_ca(self.site.depot_ca, self._clock.now().utc),
            )
            if self.site.depot_ca is not None and self.site.depot_ca.sign == "automatically":
                self.news.on_certificate_wanted = self.desk.signing.due.want
            self.offline_lists = OfflineLists(self.desk.operations, self.desk.lists, self._listed_tags)
            if self.site.authorisation.local_list:
                self.news.on_commissioned = self.offline_lists.due.want
            self.mqtt = self._new_mqtt_link()
            self.panel = await self._open_panel(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def run(self) -> None:
        """Run until cancelled. Only a failure of control itself ends it: chargers then keep to their fallbacks."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.runtime.run(self.central), name="runtime")
            for name, job in self._side_jobs().items():
                tasks.create_task(kept_up(name, job), name=name)

    def _side_jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        jobs: dict[str, Callable[[], Awaitable[None]]] = {
            "housekeeping": self._keep_house,
            "offline lists": self.offline_lists.due.run,
            "certificates": self.desk.signing.due.run,
        }
        if self.site.tariff.demand_charge_eur_per_kw:
            jobs["billing peak"] = self._follow_peak
        if not self.options.virtual:
            jobs |= {"loop lag": self.lag.run, "garbage": collect_now_and_then}
            if self.tls is not None:
                jobs["certificate"] = self.tls.watch
            if self.mqtt is not None:
                jobs["mqtt"] = self.mqtt.run
        return jobs

    def _listed_tags(self) -> tuple[ListedTag, ...]:
        return self.directory.listed_tags(self._clock.now().utc)

    def _adopted(self) -> set[ChargerId]:
        return {charger.spec.id for charger in self.runtime.twin.state.chargers.values() if charger.spec.adopted}

    def _doubt(self, charger_id: ChargerId) -> None:
        self.central.doubt(charger_id)

    def _new_twin(self) -> Twin:
        now = self._clock.now().utc
        return new_twin(self.site, self.tree, now, self.settings)

    async def _open_sinks(self, stack: AsyncExitStack, data: Path) -> list[TelemetrySink]:
        history = HistorySink(data / HISTORY, threaded=not self.options.virtual)
        self.history = await stack.enter_async_context(history)
        sinks: list[TelemetrySink] = [self.history]
        self.influx: InfluxSink | None = None
        influx = self.site.influx
        if influx is not None:
            settings = InfluxSettings(
                url=influx.url,
                org=influx.org,
                bucket=influx.bucket,
                token=secret(influx.token_env, "InfluxDB token") or SecretStr(""),
                spool_dir=data / "spool",
                quota_bytes=int(influx.spool_mb * 2**20),
                speed=self.options.speed,
                threaded=not self.options.virtual,
            )
            self.influx = await stack.enter_async_context(InfluxSink(settings, clock=self._clock))
            sinks.append(self.influx)
        return sinks

    def _telemetry_every_s(self) -> float:
        return 10.0 if self.site.influx is None else self.site.influx.every_s

    async def _open_solver(self, stack: AsyncExitStack) -> PlanSolver:
        control = self.site.control
        if self.options.virtual:
            return InlineSolver(control.planner)
        worker = PlannerProcess(control.planner, deadline_s=control.plan_deadline_s, scale=self.options.speed)
        solver = await stack.enter_async_context(worker)
        await solver.ready()
        return solver

    def _new_central_system(self) -> CentralSystem:
        ocpp, control, speed = self.site.ocpp, self.site.control, self.options.speed
        self.tls = listening_tls(ocpp.tls, self._clock)
        settings = CentralSystemSettings(
            host=ocpp.host,
            port=ocpp.port,
            heartbeat_s=int(ocpp.heartbeat_s),
            # Computing does not scale with the clock: at 60 times the tempo, a stall of a tenth of a second on the
            # wall looks like six. What judges a link alive or an answer late is therefore measured on the wall.
            call_timeout_s=max(ocpp.call_timeout_s, speed * FASTEST_ANSWER_WALL_S),
            call_yields_after_s=max(3.0, speed * FASTEST_ANSWER_WALL_S),
            ping_interval_s=ocpp.ping_interval_s * speed,
            websocket_ping_s=max(1, round(3 * ocpp.ping_interval_s)),
            ping_timeout_s=5.0 * speed,
            open_timeout_s=5.0 * speed,
            close_timeout_s=1.0 * speed,
            duplicate_ping_s=2.0 * speed,
            clock_tolerance_s=max(5.0, speed * FASTEST_ANSWER_WALL_S),
            clear_foreign_limits=ocpp.clear_foreign_limits,
            conceal_unknown=self.directory.asks_passwords,
            sample_interval_s=int(control.sample_interval_s),
            newcomer_wait_s=control.tick_s + control.ramp_s + NEWCOMER_SPARE_S,
        )
        return CentralSystem(
            settings,
            clock=self._clock,
            sink=self.news,
            ledger=self.store,
            directory=self.directory,
            upkeep=self.store,
            learned=self._recalled,
            models=self._models,
            upstream=self.upstream,
            tls=self.tls,
            bears=self.runtime.twin.envelope.bears,
        )

    async def _open_upstream(self, stack: AsyncExitStack) -> Upstream | None:
        table = self.site.upstream
        if table is None:
            return None
        own = {c.id: c.upstream_password_env for c in self.site.chargers if c.upstream_password_env is not None}
        settings = upstream_settings(table, own, self.options.speed)
        ledger = UpstreamOutbox(self.store)
        upstream = Upstream(settings, self.tree.chargers, clock=self._clock, sink=self.runtime, ledger=ledger)
        return await stack.enter_async_context(upstream)

    def _new_mqtt_link(self) -> MqttLink | None:
        mqtt = self.site.mqtt
        if mqtt is None:
            return None
        password, speed = secret(mqtt.password_env, "MQTT password"), self.options.speed
        settings = MqttSettings(
            host=mqtt.host,
            port=mqtt.port,
            username=mqtt.username,
            password=None if password is None else password.get_secret_value(),
            tls=mqtt.tls,
            ca_file=None if mqtt.ca_file is None else str(mqtt.ca_file),
            client_suffix=mqtt.client_suffix or self.site.name,
            site=self.site.name,
            timeout_s=10.0 * speed,
            retry_min_s=1.0 * speed,
            retry_max_s=60.0 * speed,
        )
        return MqttLink(settings, clock=self._clock, sink=self.runtime, bindings=meter_bindings(self.site))

    async def _open_panel(self, stack: AsyncExitStack) -> PanelServer | None:
        panel = self.site.panel
        if panel is None:
            return None
        key = new_key()
        app = create_app(
            self.feed,
            self.history,
            hosts={*LOOPBACK_HOSTS, panel.host, *panel.hosts},
            history_tags={"site": self.site.name},
            operator=(self.desk, key),
        )
        self._views.viewers += [self.feed.publish, self._remember]
        server = await stack.enter_async_context(PanelServer(app, panel.host, panel.port))
        stack.enter_context(published_key(self.site.data_dir, OperatorKey(server.url, key)))
        return server

    def _remember(self, shown: PanelView) -> None:
        """Keep what the panel's chart shows, so that it is there after a restart."""
        values = {name: getattr(shown.site, name) for name in SITE_FIELDS}
        known = {name: float(value) for name, value in values.items() if value is not None}
        if known:
            self.history.write([Point("site", {"site": self.site.name}, {**known}, shown.site.time)])

    def show_to(self, viewer: Callable[[PanelView], None]) -> None:
        """Let somebody see every view; the viewer must return at once."""
        self._views.viewers.append(viewer)

    async def _keep_house(self) -> None:
        """Once an hour: learn of the past, remove what is older than is kept, lay out prices before they run out."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            now = self._clock.now()
            if self.runtime.twin.state.tariff.starts[-1] - now.utc < TARIFF_AHEAD:
                self.runtime.put(TariffChanged(at=now, tariff=tariff(self.site, now.utc)))
                self.runtime.put(TermsChanged(at=now, terms=site_terms(self.site, now.utc)))
            for work in (self._learn, self.store.retain, self.history.retain):
                try:
                    await work()
                except StorageError as error:
                    logger.error("housekeeping failed", extra={"work": work.__name__, "detail": str(error)})

    async def _follow_peak(self) -> None:
        while True:
            await asyncio.sleep(QUARTER_S)
            try:
                await self._look_up_peak()
            except StorageError as error:
                logger.error("billing peak not read", extra={"detail": str(error)})

    async def _look_up_peak(self) -> None:
        """Tell the twin of the month's peak so far, where one is paid for.

        Raises:
            StorageError: the history cannot be read.
        """
        if not self.site.tariff.demand_charge_eur_per_kw:
            return
        now = self._clock.now()
        peak_kw = await peak_so_far_kw(self.history, self.site.name, self.tree.root, now.utc, self.site.zone())
        self.runtime.put(PeakMeasured(at=now, peak_kw=peak_kw))

    async def _learn(self) -> None:
        """Learn from the sessions that are over.

        Raises:
            StorageError: the journal cannot be read.
        """
        threaded, now = not self.options.virtual, self._clock.now().utc
        self.runtime.twin.foresight = await foresight_of(self.site, self.store, now, threaded=threaded)
