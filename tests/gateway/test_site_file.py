"""Site files: what is impossible is refused with the field and the remedy; what is possible becomes a tree."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scenario_file import find_site, read_scenario, shipped_scenarios
from gateway.site_faults import site_faults
from gateway.site_file import parse_site, read_site, site_terms, site_tree, tariff
from gateway.upstream_table import upstream_settings
from tests.gateway.site_texts import GOOD, changed, with_line
from twin_core.errors import ConfigurationError
from twin_core.models.ids import NodeId
from twin_core.models.tariff import SiteTerms
from twin_core.safety.parameters import EnvelopeParameters

IMPOSSIBLE = {
    "unknown field": (with_line("[grid]", "limt_kw = 10"), "grid.limt_kw", "not permitted"),
    "unknown table": (GOOD + "\n[gird]\nlimit_a = 1", "gird", "not permitted"),
    "missing limit": (changed("limit_a = 63.0", ""), "grid.limit_a", "required"),
    "NaN limit": (changed("limit_a = 63.0", "limit_a = nan"), "grid.limit_a", "nan"),
    "endless limit": (changed("limit_a = 63.0", "limit_a = inf"), "grid.limit_a", "finite"),
    "negative limit": (changed("limit_a = 63.0", "limit_a = -5"), "grid.limit_a", "greater than 0"),
    "no port": (changed("[ocpp]\nport = 0", "[ocpp]\nport = 70000"), "ocpp.port", "65535"),
    "phases twice": (with_line('id = "CP1"', 'phases = ["L1", "L1"]'), "chargers.0.phases", "different phases"),
    "no phases": (with_line('id = "CP1"', "phases = []"), "chargers.0.phases", "one to three"),
    "bad identity": (changed('id = "CP2"', 'id = "CP/2"'), "chargers.1.id", "letters, digits"),
    "bad timezone": (changed("Europe/Amsterdam", "Europe/Amsterdamm"), "timezone", "IANA"),
    "timezone that is a path": (changed("Europe/Amsterdam", "../../etc/passwd"), "timezone", "IANA"),
    "meters without a broker": (changed('[mqtt]\nhost = "127.0.0.1"', ""), "[mqtt]", "host and port"),
    "meter of no node": (changed('node = "grid"', 'node = "gird"'), "meters", "feeder, grid"),
    "price at no time": (
        GOOD + '\n[tariff]\nkind = "steps"\nprice_eur_per_kwh = { "25:00" = 0.2 }',
        "tariff",
        "time of day",
    ),
    "price at a time elsewhere": (
        GOOD + '\n[tariff]\nkind = "steps"\nprice_eur_per_kwh = { "08:00" = 0.1, "10:00+02:00" = 0.2 }',
        "tariff",
        "time of day",
    ),
    "price that is no number": (GOOD + "\n[tariff]\nprice_eur_per_kwh = nan", "tariff", "finite"),
    "one price in steps": (GOOD + '\n[tariff]\nkind = "steps"\nprice_eur_per_kwh = 0.2', "tariff", "00:00"),
    "samples never": (changed('planner = "edf"', "sample_interval_s = 0.4"), "control.sample_interval_s", "equal to 1"),
    "TOML that is none": ("name = ", "not valid TOML", "Invalid value"),
}

UNSAFE = {
    "fallbacks above the limit": (
        with_line('id = "CP1"', "fallback_a = 16\nconnectors = 3"),
        "node feeder: limit_a",
        "lower fallback_a",
    ),
    "a fallback no pilot can offer": (with_line('id = "CP1"', "fallback_a = 3"), "CP1/1: fallback_a", "between 6 A"),
    "a charger below the minimum": (
        with_line('id = "CP1"', "hardware_max_a = 5\nsupply_max_a = 32"),
        "CP1/1: hardware_max_a",
        "rating",
    ),
    "a base load above the limit": (changed("metered = true", "base_load_worst_a = 70"), "node grid", "base_load"),
    "an unknown planner": (changed('"edf"', '"best"'), "control.planner", "power_allocation"),
    "a planner that is no module": (changed('"edf"', '"no.such:Planner"'), "control.planner", "cannot be loaded"),
    "an unknown decoder": (with_line('topic = "main/status/em:0"', 'decoder = "shely"'), "decoder 'shely'", "shelly"),
    "options a decoder has not": (with_line('topic = "main/status/em:0"', "options = { x = 1 }"), "meter", "x"),
    "a topic nobody can subscribe": (changed('"main/status/em:0"', '"main/#/x"'), "meters", "topic"),
    "a lease shorter than three ticks": (with_line("[control]", "lease_s = 5"), "lease_s", "at least 6 s"),
    "a password that is not set": (
        with_line('id = "CP1"', 'password_env = "NO_SUCH_VARIABLE"'),
        "chargers.CP1.password_env",
        "export",
    ),
    "a broker password that is not set": (
        with_line("[mqtt]", 'password_env = "NO_SUCH_VARIABLE"'),
        "mqtt.password_env",
        "export",
    ),
    "an authority that is no file": (with_line("[mqtt]", 'ca_file = "/no/such.pem"'), "mqtt.ca_file", "leave it out"),
}

IMPOSSIBLE_TREES = {
    "two chargers of one name": (changed('id = "CP2"', 'id = "CP1"'), "CP1", "own id"),
    "a charger named like a node": (changed('id = "CP2"', 'id = "feeder"'), "feeder", "own id"),
    "a missing parent": (changed('parent = "feeder"', 'parent = "feeder-2"'), "feeder-2", "not defined"),
    "a node below itself": (changed('id = "feeder"', 'id = "feeder"\nparent = "feeder"'), "feeder", "not defined"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_site_file_is_refused_with_one_clear_error(case: str) -> None:
    text, field, remedy = IMPOSSIBLE[case]
    with pytest.raises(ConfigurationError) as refused:
        parse_site(text, "x.toml")
    message = str(refused.value)
    assert message.startswith("x.toml: ")
    assert field in message
    assert remedy in message
    assert "not valid TOML" in message or "1 fault(s)" in message


@pytest.mark.parametrize("case", IMPOSSIBLE_TREES)
def test_an_impossible_tree_is_refused_with_one_clear_error(case: str) -> None:
    text, field, remedy = IMPOSSIBLE_TREES[case]
    site, _ = parse_site(text, "x.toml")
    with pytest.raises(ConfigurationError, match=field) as refused:
        site_tree(site)
    assert remedy in str(refused.value)


@pytest.mark.parametrize("case", UNSAFE)
def test_a_site_that_cannot_run_safely_has_one_fault_that_names_field_and_remedy(case: str) -> None:
    text, field, remedy = UNSAFE[case]
    site, _ = parse_site(text, "x.toml")
    control = site.control
    faults = site_faults(site, site_tree(site), EnvelopeParameters(lease_s=control.lease_s, ramp_s=control.ramp_s))
    assert len(faults) == 1, faults
    assert field in faults[0]
    assert remedy in faults[0]


def test_the_good_site_has_no_fault_and_becomes_the_tree_it_describes() -> None:
    site, scenario = parse_site(GOOD, "x.toml")
    tree = site_tree(site)
    assert site_faults(site, tree, EnvelopeParameters()) == []
    assert scenario is None
    assert [node.id for node in tree.path_by_charger[tree.chargers[0].id]] == ["CP1", "feeder", "grid"]
    assert [node.id for node in tree.path_by_charger[tree.chargers[1].id]] == ["CP2", "grid"]
    assert tree.root.metered


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_can_be_run(name: str) -> None:
    site, table = find_site(name)
    assert site_faults(site, site_tree(site), EnvelopeParameters()) == []
    assert read_scenario(name, table)


def test_what_is_no_text_or_no_file_is_refused_and_named(tmp_path: Path) -> None:
    binary = tmp_path / "site.toml"
    binary.write_bytes(b"\xff\xfe\x00name")
    for path, words in ((binary, "UTF-8"), (tmp_path / "none.toml", "No such file"), (tmp_path, "directory")):
        with pytest.raises(ConfigurationError, match=words):
            read_site(path)


@given(st.floats(), st.sampled_from(["hardware_max_a", "supply_max_a", "fallback_a", "assumed_a"]))
def test_no_number_for_a_charger_gets_past_both_the_file_and_the_check_and_is_absurd(value: float, field: str) -> None:
    text = with_line('id = "CP1"', f"{field} = {value!r}")
    try:
        site, _ = parse_site(text, "x.toml")
        tree = site_tree(site)
    except ConfigurationError:
        return
    if site_faults(site, tree, EnvelopeParameters()):
        return
    connector = tree.chargers[0].connectors[0]
    assert 6 <= connector.hardware_max_a < float("inf")
    assert connector.fallback_a == 0 or 6 <= connector.fallback_a <= connector.hardware_max_a


# Tariffs across daylight saving; Amsterdam goes to +02:00 on 2026-03-29 and back on 2026-10-25, at 01:00 UTC.


def _steps(*times_and_prices: tuple[str, float]) -> str:
    table = ", ".join(f'"{at}" = {price}' for at, price in times_and_prices)
    return GOOD + f'\n[tariff]\nkind = "steps"\nprice_eur_per_kwh = {{ {table} }}'


@pytest.mark.parametrize("day", ["2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "2026-10-26"])
def test_a_price_begins_at_its_local_time_on_either_side_of_a_clock_change(day: str) -> None:
    site, _ = parse_site(_steps(("00:00", 0.1), ("07:00", 0.3), ("23:00", 0.2)), "x.toml")
    laid_out = tariff(site, datetime(2026, 3, 20, tzinfo=UTC), days=240)
    for hour, price in ((0, 0.1), (6, 0.1), (7, 0.3), (22, 0.3), (23, 0.2)):
        local = datetime.fromisoformat(f"{day}T{hour:02}:30:00").replace(tzinfo=site.zone())
        assert laid_out.price_at(local.astimezone(UTC)) == price


@given(st.lists(st.times(), min_size=1, max_size=30, unique=True), st.sampled_from([(2026, 3, 27), (2026, 10, 23)]))
def test_prices_always_begin_one_after_the_other(times: list[object], first: tuple[int, int, int]) -> None:
    site, _ = parse_site(_steps(*((str(at), float(n)) for n, at in enumerate(times))), "x.toml")
    starts = tariff(site, datetime(*first, tzinfo=UTC), days=5).starts
    assert all(earlier < later for earlier, later in itertools.pairwise(starts))


def test_a_price_that_would_begin_in_the_skipped_hour_gives_way_to_the_next() -> None:
    site, _ = parse_site(_steps(("00:00", 0.1), ("02:30", 0.2), ("03:00", 0.3), ("05:00", 0.4)), "x.toml")
    laid_out = tariff(site, datetime(2026, 3, 28, tzinfo=UTC), days=3)
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert laid_out.price_at(change - timedelta(seconds=1)) == 0.1
    assert laid_out.price_at(change) == 0.3
    assert laid_out.price_at(change + timedelta(minutes=31)) == 0.3


# Limits imposed from outside.


@given(st.one_of(st.none(), st.floats()), st.one_of(st.none(), st.floats()))
def test_an_imposed_limit_only_ever_lowers_and_is_gone_when_lifted(amps: float | None, kw: float | None) -> None:
    site, _ = parse_site(with_line("[grid]", "limit_kw = 40"), "x.toml")
    tree = site_tree(site)
    imposed = tree.with_limit(NodeId("grid"), amps, kw)
    assert imposed.root.limit_a is not None
    assert imposed.root.limit_kw is not None
    assert 0 <= imposed.root.limit_a <= 63.0
    assert 0 <= imposed.root.limit_kw <= 40.0
    assert imposed.with_limit(NodeId("grid"), None, None).nodes == tree.nodes


# What else counts at the site's meter.

ENERGY = """
name = "yard"
timezone = "Europe/Amsterdam"
[grid]
limit_a = 63
[tariff]
export_eur_per_kwh = { "00:00" = 0.05, "12:00" = 0.01 }
demand_charge_eur_per_kw = 8.5
[pv]
forecast_kw = { "00:00" = 0, "08:00" = 12.5 }
[carbon]
kg_per_kwh = 0.3
eur_per_kg = 0.08
"""


def test_export_sun_carbon_and_demand_charge_are_laid_out_in_local_time() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    terms = site_terms(parse_site(ENERGY, "here")[0], since)
    assert terms.demand_charge_eur_per_kw == 8.5
    assert terms.carbon_eur_per_kg == 0.08
    assert terms.pv_kw is not None
    assert [terms.pv_kw.at(since.replace(hour=hour)) for hour in (6, 7)] == [0.0, 12.5]
    assert terms.export_eur_per_kwh is not None
    assert [terms.export_eur_per_kwh.at(since.replace(hour=hour)) for hour in (10, 11)] == [0.05, 0.01]
    assert terms.carbon_kg_per_kwh is not None
    assert terms.carbon_kg_per_kwh.at(since) == 0.3


def test_a_site_that_says_nothing_of_it_has_no_terms() -> None:
    assert site_terms(parse_site("name = 'yard'\n[grid]\nlimit_a = 63", "here")[0], datetime.now(UTC)) == SiteTerms()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("[battery]\ncapacity_kwh = 100", "no connector that commands a site battery"),
        ("[pv]\nforecast_kw = -3.0", "not negative"),
        ('[pv]\nforecast_kw = { "8 o clock" = 3.0 }', "no local time of day"),
        ("[carbon]\nkg_per_kwh = {}", "at least one value"),
        ("[tariff]\nexport_eur_per_kwh = {}", "at least one value"),
        ("[tariff]\ndemand_charge_eur_per_kw = -1", "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(table: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_site(f"name = 'yard'\n[grid]\nlimit_a = 63\n{table}", "here")


def test_an_upstream_is_reached_with_each_chargers_own_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED", "all")
    monkeypatch.setenv("OWN", "one")
    text = with_line('id = "CP1"', 'upstream_password_env = "OWN"')
    table = (
        '\n[upstream]\nurl = "wss://billing.example/ocpp"\npassword_env = "SHARED"\nmessages = ["StopTransaction"]\n'
    )
    site, _ = parse_site(text + table, "site")
    assert site.upstream is not None
    settings = upstream_settings(site.upstream, {"CP1": "OWN"}, 2.0)
    assert (settings.password, settings.passwords) == ("all", {"CP1": "one"})
    assert settings.messages == {"StopTransaction"}
    assert settings.answer_s == 4.0
    assert "one" not in repr(settings)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('url = "https://billing.example"', "upstream.url"),
        ('url = "ws://user:pass@billing.example"', "upstream.url"),
        ('url = "ws://billing.example"\nmessages = ["SignCertificate"]', "upstream.messages"),
        ('url = "ws://billing.example"\nrequests = ["SetChargingProfile"]', "upstream.requests"),
        ('url = "ws://billing.example"\nanswer_s = 60', "upstream.answer_s"),
    ],
)
def test_an_upstream_that_cannot_work_is_refused_by_its_field(line: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        parse_site(f"{GOOD}\n[upstream]\n{line}\n", "site")


def test_a_password_for_an_upstream_that_is_not_there_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", "one")
    site, _ = parse_site(with_line('id = "CP1"', 'upstream_password_env = "OWN"'), "site")
    faults = site_faults(site, site_tree(site), EnvelopeParameters())
    assert any("upstream_password_env" in fault for fault in faults)


@pytest.mark.parametrize(
    "url",
    [
        "wss://bill:s3cret@billing.example/ocpp",
        "wss://:s3cret@billing.example/ocpp",
        "wss://bill:s3cret/with@two@billing.example/ocpp",
        "wss://bill:s3cret@billing.example:port/ocpp",
        "wss://bill:s3cret@[billing.example/ocpp",
        "wss://billing.example/ocpp?token=s3cret",
        "https://bill:s3cret@billing.example",
    ],
)
def test_a_password_in_the_address_of_the_upstream_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"upstream\.url") as refused:
        parse_site(f'{GOOD}\n[upstream]\nurl = "{url}"\n', "site")
    assert "s3cret" not in str(refused.value)
    assert "***" in str(refused.value)


def test_tls_files_that_are_not_there_are_faults_by_their_field(tmp_path: Path) -> None:
    lines = f'[ocpp.tls]\ncertificate = "{tmp_path}/chain.pem"\nkey = "{tmp_path}/key.pem"\n'
    upstream = f'[upstream]\nurl = "wss://billing.example"\nca_file = "{tmp_path}/ca.pem"\n'
    site, _ = parse_site(f"{GOOD}\n{lines}{upstream}", "site")
    faults = site_faults(site, site_tree(site), EnvelopeParameters())
    for field, file in (("ocpp.tls.certificate", "chain.pem"), ("upstream.ca_file", "ca.pem")):
        assert any(fault.startswith(f"{field}: {tmp_path}/{file} cannot be read") for fault in faults)
    with pytest.raises(ConfigurationError, match="ca_file: the address has no TLS"):
        parse_site(f"{GOOD}\n{upstream.replace('wss', 'ws')}", "site")
