"""Scenario tables: what they may say, and the clear word for what they may not."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.day import plan_sessions
from simulators.scenario import load_scenario
from tests.simulators.depots import scenario, small_site
from twin_core.errors import ConfigurationError

VISIT = {"connector": "CP1/1", "kind": "CAR", "arrive_min": 1, "depart_min": 2, "energy_kwh": 5}


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"begin": 1}, "scenario.begin"),
        ({"minutes": 0}, "scenario.minutes"),
        ({"minutes": float("nan")}, "scenario.minutes"),
        ({"timezone": "Europe/Atlantis"}, "unknown time zone"),
        ({"fleet": []}, "at least one kind"),
        ({"quirks": {"CP1": ["lazy"]}}, "quirks.CP1: unknown quirk 'lazy'"),
        ({"arrivals": {"energy_kwh": [40, 6]}}, "energy_kwh = [40, 6]"),
        ({"arrivals": {"stay_share": [0.8, 0.3]}}, "stay_share = [0.8, 0.3]"),
        ({"sessions": [{**VISIT, "id_tag": "x" * 21}]}, "scenario.sessions.0.id_tag"),
        ({"sessions": [{**VISIT, "id_tag": ""}]}, "scenario.sessions.0.id_tag"),
        (
            {"limit_changes": [{"node": "grid", "at_min": float("inf"), "limit_a": 9}]},
            "scenario.limit_changes.0.at_min",
        ),
        ({"base_load": [{"node": "grid", "kw": {"25:00": 1.0}}]}, "time of day"),
        ({"base_load": [{"node": "grid", "kw": {"12:00": -1.0}}]}, "scenario.base_load.0.kw"),
        ({"meters": [{"node": "grid", "topic": "a/#"}]}, "scenario.meters.0.topic"),
        ({"limit_changes": [{"node": "grid", "at_min": 5}]}, "limit_a or limit_kw"),
        (
            {"limit_changes": [{"node": "grid", "at_min": 5, "until_min": 5, "limit_a": 9}]},
            "until_min = 5 must be after at_min = 5",
        ),
        (
            {"sessions": [{"connector": "CP1/1", "kind": "BUS", "arrive_min": 1, "depart_min": 9, "energy_kwh": 1}]},
            "BUS",
        ),
    ],
)
def test_an_impossible_scenario_is_refused_with_the_field_and_the_reason(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match="scenario") as refusal:
        load_scenario({"start": "2026-06-01T14:00:00", **table})
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        ([(5, 5)], "scenario.sessions.0: Value error, depart_min = 5 must be after arrive_min = 5"),
        ([(30, 60), (5, 31)], "CP1/1 is taken until depart_min = 31, so nobody can come at arrive_min = 30"),
    ],
)
def test_visits_end_after_they_began_and_before_the_next(times: list[tuple[float, float]], complaint: str) -> None:
    visit = {"connector": "CP1/1", "kind": "CAR", "energy_kwh": 5}
    with pytest.raises(ConfigurationError) as refusal:
        scenario(sessions=[{**visit, "arrive_min": come, "depart_min": go} for come, go in times])
    assert complaint in str(refusal.value)


def test_a_start_without_a_zone_is_local_time() -> None:
    assert scenario(timezone="America/Los_Angeles").begins.isoformat() == "2026-06-01T14:00:00-07:00"


def test_spelt_out_sessions_happen_as_written() -> None:
    visit = {
        "connector": "CP2/1",
        "kind": "CAR",
        "arrive_min": 5,
        "depart_min": 90,
        "energy_kwh": 7.5,
        "id_tag": "ANNA",
    }
    site = small_site()
    planned = plan_sessions(scenario(sessions=[visit]), tuple(site.connector_by_id.values()), 60, 1, site)
    (session,) = planned
    assert (session.id_tag, str(session.connector_id), session.energy_kwh) == ("ANNA", "CP2/1", 7.5)
    assert (session.arrival_s, session.departure_s) == (300, 3600)


def test_a_spelt_out_session_at_no_connector_is_refused() -> None:
    visit = {"connector": "CP9/1", "kind": "CAR", "arrive_min": 5, "depart_min": 50, "energy_kwh": 7.5}
    with pytest.raises(ConfigurationError, match="CP9/1"):
        plan_sessions(scenario(sessions=[visit]), tuple(small_site().connector_by_id.values()), 60, 1)
