"""Telemetry settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.influx.settings import InfluxSettings
from connectors.influx.transport import retry_after_seconds
from twin_core.errors import ConfigurationError


def test_the_environment_may_hold_address_and_token(tmp_path: Path) -> None:
    settings = InfluxSettings.from_environment(
        {"DEPOT_INFLUX_URL": "http://influx:8086", "DEPOT_INFLUX_TOKEN": "secret", "DEPOT_INFLUX_BUCKET": "b"}, tmp_path
    )
    assert settings is not None
    assert (settings.url, settings.bucket, settings.token.get_secret_value()) == ("http://influx:8086", "b", "secret")
    assert "secret" not in repr(settings)


def test_without_an_address_there_is_no_telemetry(tmp_path: Path) -> None:
    assert InfluxSettings.from_environment({"DEPOT_INFLUX_TOKEN": "secret"}, tmp_path) is None


def test_a_fault_in_the_environment_names_its_variable_and_not_its_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="DEPOT_INFLUX_URL") as caught:
        InfluxSettings.from_environment({"DEPOT_INFLUX_URL": "influx:8086", "DEPOT_INFLUX_TOKEN": "secret"}, tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        {"url": "ftp://somewhere"},
        {"quota_bytes": 10_000, "segment_bytes": 8192},
        {"flush_interval_s": 0},
        {"retry_most_s": float("nan")},
        {"bucket": ""},
        {"spelling": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, fault: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InfluxSettings.model_validate({"url": "http://influx:8086", "spool_dir": tmp_path, **fault})


def test_retry_after_is_understood_as_seconds_and_as_a_date() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert retry_after_seconds("120", now) == 120
    assert retry_after_seconds("Mon, 01 Jun 2026 12:01:30 GMT", now) == 90
    assert retry_after_seconds("Mon, 01 Jun 2026 12:01:30 GMT", now + timedelta(hours=1)) == 0
    for unreadable in (None, "", "soon", "-5", "Mon, 01 Jun 2026 12:01:30"):
        assert retry_after_seconds(unreadable, now) in (None, 90)
