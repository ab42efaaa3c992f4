"""SITE.toml: what an operator writes down about a depot, checked field by field, and what the twin makes of it.

A scenario file is a site file with one table more, `[scenario]`, which only the simulators read.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from gateway.energy_tables import CarbonTable, PvTable, TariffTable, laid_out
from gateway.secret import without_secrets
from gateway.site_fields import NotNegative, PhaseName, Positive, Table, WholeSeconds
from gateway.tag_tables import AuthorisationTable, TagTable
from gateway.tls import DepotCaTable, TlsTable
from gateway.upstream_table import UpstreamTable
from twin_core.errors import ConfigurationError, ProtocolError
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId, charger_id
from twin_core.models.quantities import Phase
from twin_core.models.session import Vehicle
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.models.tariff import Series, SiteTerms, Tariff

TARIFF_DAYS = 14
"""Days of prices laid out ahead from a daily pattern; the gateway lays out more before they run out."""


class GridTable(Table):
    """`[grid]`: the connection to the public grid, the root of the tree."""

    id: str = "grid"
    limit_a: Positive
    limit_kw: Positive | None = None
    base_load_worst_a: NotNegative = 0.0
    metered: bool = False


class NodeTable(Table):
    """`[[nodes]]`: a transformer or feeder below the grid connection."""

    id: str
    kind: Literal["transformer", "feeder"] = "feeder"
    parent: str | None = None
    limit_a: Positive | None = None
    limit_kw: Positive | None = None
    base_load_worst_a: NotNegative = 0.0
    metered: bool = False


class ChargerTable(Table):
    """`[[chargers]]`: a charge point and its connectors, all wired alike."""

    id: str
    parent: str | None = None
    connectors: Annotated[int, Field(ge=1, le=64)] = 1
    hardware_max_a: Positive = 32.0
    supply_max_a: Positive | None = None
    phases: tuple[PhaseName, ...] = ("L1", "L2", "L3")
    rotation_known: bool = True
    fallback_a: NotNegative | None = None
    assumed_a: NotNegative | None = None
    password_env: str | None = None
    upstream_password_env: str | None = None

    @field_validator("id")
    @classmethod
    def _identity_is_allowed(cls, value: str) -> str:
        try:
            return charger_id(value)
        except ProtocolError as error:
            raise ValueError(str(error)) from None

    @field_validator("phases")
    @classmethod
    def _phases_are_distinct(cls, value: tuple[PhaseName, ...]) -> tuple[PhaseName, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("name one to three different phases, in the order the charger's L1, L2, L3 are wired to")
        return value


class MeterTable(Table):
    """`[[meters]]`: an MQTT meter that measures the whole current through a node."""

    node: str
    topic: str
    decoder: str = "shelly_em"
    phases: tuple[PhaseName, ...] = ("L1", "L2", "L3")
    options: dict[str, Any] = Field(default_factory=dict)
    stale_after_s: Positive = 15.0


class VehicleTable(Table):
    """`[[fleet]]`: a vehicle known by the tag its driver shows."""

    id_tag: Annotated[str, Field(min_length=1, max_length=20)]
    battery_kwh: Positive | None = None
    n_phases: Literal[1, 2, 3] = 3
    max_current_a: Positive = 32.0
    taper_soc: Annotated[float, Field(gt=0, lt=1)] = 0.8
    keeps_timetable: bool = False


class ControlTable(Table):
    """`[control]`: rhythms, planner and lease."""

    planner: str = "service_first"
    plan_every_s: Positive = 60.0
    plan_deadline_s: Positive = 5.0
    step_min: Positive = 5.0
    horizon_h: Positive = 8.0
    grades_min: tuple[tuple[Annotated[int, Field(gt=0)], Positive], ...] = ()
    tick_s: Positive = 2.0
    lease_s: Positive = 120.0
    ramp_s: Annotated[float, Field(gt=0, le=25, allow_inf_nan=False)] = 5.0
    margin_a: NotNegative = 0.0
    sample_interval_s: WholeSeconds = 5.0
    min_run_min: NotNegative = 0.0
    assumed_energy_kwh: Positive = 30.0
    assumed_stay_h: Positive = 8.0


class ForesightTable(Table):
    """`[foresight]`: what is learned of earlier days."""

    learn_departures: bool = True
    expect_arrivals: bool = True


class OcppTable(Table):
    """`[ocpp]`: where charge points connect, and who may charge."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9000
    heartbeat_s: WholeSeconds = 60.0
    call_timeout_s: Positive = 10.0
    ping_interval_s: Positive = 10.0
    clear_foreign_limits: bool = False
    id_tags: tuple[str, ...] | None = None
    tls: TlsTable | None = None


class MqttTable(Table):
    """`[mqtt]`: the broker that meters and drivers' requests come over."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 1883
    username: str | None = None
    password_env: str | None = None
    ca_file: Path | None = None
    tls: bool = False
    client_suffix: str = ""


class InfluxTable(Table):
    """`[influx]`: where telemetry is written; left out, a local history serves the panel."""

    url: str
    org: str = "depot"
    bucket: str = "depot"
    token_env: str | None = None
    spool_mb: Positive = 512.0
    every_s: Positive = 10.0


class PanelTable(Table):
    """`[panel]`: the operator's page; `hosts` are further names browsers may call it by."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    hosts: tuple[str, ...] = ()


class SiteFile(Table):
    """The whole file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,48}$")]
    timezone: str = "UTC"
    adopt_unknown: bool = False
    adopt_most: Annotated[int, Field(ge=0)] = 20
    adopt_password_env: str | None = None
    fallback_a: NotNegative = 0.0
    data_dir: Path = Path("data")
    grid: GridTable
    nodes: tuple[NodeTable, ...] = ()
    chargers: tuple[ChargerTable, ...] = ()
    meters: tuple[MeterTable, ...] = ()
    tariff: TariffTable = TariffTable()
    pv: PvTable | None = None
    carbon: CarbonTable | None = None
    fleet: tuple[VehicleTable, ...] = ()
    control: ControlTable = ControlTable()
    foresight: ForesightTable = ForesightTable()
    ocpp: OcppTable = OcppTable()
    authorisation: AuthorisationTable = AuthorisationTable()
    tags: tuple[TagTable, ...] = ()
    mqtt: MqttTable | None = None
    influx: InfluxTable | None = None
    panel: PanelTable | None = PanelTable()
    upstream: UpstreamTable | None = None
    depot_ca: DepotCaTable | None = None

    @model_validator(mode="before")
    @classmethod
    def _commands_no_battery(cls, tables: Any) -> Any:
        if isinstance(tables, dict) and "battery" in tables:
            raise ValueError(
                "battery: this gateway has no connector that commands a site battery, and a plan that counts on one "
                "nobody commands would be wrong: leave the table out; what the battery does is then part of the base "
                "load that the site's meter sees"
            )
        return tables

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is no IANA time zone, write one such as Europe/Amsterdam") from None
        return value

    @model_validator(mode="after")
    def _meters_measure_nodes(self) -> SiteFile:
        known = {self.grid.id, *(node.id for node in self.nodes)}
        for meter in self.meters:
            if meter.node not in known:
                raise ValueError(f"meters: node {meter.node!r} is not one of {', '.join(sorted(known))}")
        if self.meters and self.mqtt is None:
            raise ValueError("meters need a broker: add an [mqtt] table with host and port")
        return self

    def zone(self) -> ZoneInfo:
        """Local time of the depot."""
        return ZoneInfo(self.timezone)


def read_site(path: Path) -> tuple[SiteFile, dict[str, Any] | None]:
    """A site file and, where it has one, its `[scenario]` table as read.

    Raises:
        ConfigurationError: the file cannot be read, is no TOML, or a field cannot work; every fault is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); give the path of a SITE.toml") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is no UTF-8 text; give the path of a SITE.toml") from error
    return parse_site(text, str(path))


def parse_site(text: str, name: str) -> tuple[SiteFile, dict[str, Any] | None]:
    """As `read_site`, from text; `name` stands in the errors."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: not valid TOML: {error}") from error
    scenario = tables.pop("scenario", None)
    try:
        return SiteFile.model_validate(tables), scenario
    except ValidationError as error:
        raise ConfigurationError(describe(name, error)) from error


def read_effective_site(path: Path) -> SiteFile:
    """A site as a gateway wrote it down beside its journal, or a site file.

    Raises:
        ConfigurationError: as `read_site`.
    """
    if path.suffix == ".toml":
        return read_site(path)[0]
    try:
        return SiteFile.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error}); give --site SITE.toml") from error
    except ValidationError as error:
        raise ConfigurationError(describe(str(path), error)) from error


def describe(name: str, error: ValidationError) -> str:
    """Every fault of a validation, one a line: where, what, and the value that was given."""
    lines = [f"{name}: {error.error_count()} fault(s)"]
    for fault in error.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        given = fault["input"]
        shown = "" if isinstance(given, dict | list) else f" (given: {without_secrets(str(given))[:60]!r})"
        lines.append(f"  {where}: {fault['msg'].removeprefix('Value error, ')}{shown}")
    return "\n".join(lines)


def site_tree(site: SiteFile) -> SiteTree:
    """The installation as the twin knows it.

    Raises:
        ConfigurationError: names clash or a parent is missing.
    """
    metered = {meter.node for meter in site.meters}
    nodes = [_grid_node(site.grid, metered)]
    nodes.extend(_inner_node(table, site.grid, metered) for table in site.nodes)
    chargers = []
    for charger in site.chargers:
        spec = charger_spec(charger, site.fallback_a)
        parent = NodeId(charger.parent or site.grid.id)
        nodes.append(Node(NodeId(spec.id), NodeKind.CHARGER, parent, limit_a=spec.supply_max_a))
        chargers.append(spec)
    return SiteTree(site.name, tuple(nodes), tuple(chargers))


def _grid_node(grid: GridTable, metered: set[str]) -> Node:
    return Node(
        NodeId(grid.id),
        NodeKind.GRID,
        None,
        grid.limit_a,
        grid.limit_kw,
        grid.base_load_worst_a,
        metered=grid.metered or grid.id in metered,
    )


def _inner_node(table: NodeTable, grid: GridTable, metered: set[str]) -> Node:
    return Node(
        NodeId(table.id),
        NodeKind(table.kind),
        NodeId(table.parent or grid.id),
        table.limit_a,
        table.limit_kw,
        table.base_load_worst_a,
        metered=table.metered or table.id in metered,
    )


def charger_spec(table: ChargerTable, site_fallback_a: float) -> ChargerSpec:
    """A charger as the twin knows it."""
    identity = ChargerId(table.id)
    fallback = site_fallback_a if table.fallback_a is None else table.fallback_a
    connectors = tuple(
        ConnectorSpec(
            id=ConnectorId(identity, number),
            hardware_max_a=table.hardware_max_a,
            fallback_a=fallback,
            assumed_a=table.assumed_a,
            phases=tuple(Phase[name] for name in table.phases),
            rotation_known=table.rotation_known,
        )
        for number in range(1, table.connectors + 1)
    )
    return ChargerSpec(identity, connectors, table.supply_max_a or table.hardware_max_a * table.connectors)


def fleet(site: SiteFile) -> dict[IdTag, Vehicle]:
    """Vehicles by tag."""
    return {
        IdTag(v.id_tag): Vehicle(
            IdTag(v.id_tag), v.battery_kwh, v.n_phases, v.max_current_a, v.taper_soc, v.keeps_timetable
        )
        for v in site.fleet
    }


def tariff(site: SiteFile, since: datetime, days: int = TARIFF_DAYS) -> Tariff:
    """Prices laid out from the day of `since` on, in local time across daylight saving."""
    prices = laid_out(site.tariff.price_eur_per_kwh, site.zone(), since, days)
    return Tariff(prices.starts, prices.values)


def site_terms(site: SiteFile, since: datetime, days: int = TARIFF_DAYS) -> SiteTerms:
    """What else counts at the site's meter, laid out as the prices are."""

    def series(given: dict[str, float] | float | None) -> Series | None:
        return None if given is None else laid_out(given, site.zone(), since, days)

    return SiteTerms(
        export_eur_per_kwh=series(site.tariff.export_eur_per_kwh),
        demand_charge_eur_per_kw=site.tariff.demand_charge_eur_per_kw,
        pv_kw=None if site.pv is None else series(site.pv.forecast_kw),
        carbon_kg_per_kwh=None if site.carbon is None else series(site.carbon.kg_per_kwh),
        carbon_eur_per_kg=0.0 if site.carbon is None else site.carbon.eur_per_kg,
    )
