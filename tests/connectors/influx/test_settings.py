"""Telemetry settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.influx.settings import InfluxSettings
from connectors.influx.transport import retry_after_seconds
from twin_core.errors import ConfigurationError


def test_the_token_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    settings = InfluxSettings.model_validate({"url": "http://influx:8086", "token": "secret", "spool_dir": tmp_path})
    assert settings.token.get_secret_value() == "secret"
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "fault",
    [
        {"quota_bytes": 1000},
        {"flush_interval_s": 0},
        {"retry_most_s": float("nan")},
        {"bucket": ""},
        {"spelling": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, fault: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InfluxSettings.model_validate({"url": "http://influx:8086", "spool_dir": tmp_path, **fault})


@pytest.mark.parametrize("url", ["influx:8086", "ftp://influx", "http://", "http:// influx", ""])
def test_an_address_that_cannot_work_is_named_with_the_form_it_should_have(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="http://HOST:8086"):
        InfluxSettings(url=url, spool_dir=tmp_path)


def test_a_small_quota_still_holds_several_files(tmp_path: Path) -> None:
    small = InfluxSettings(url="http://influx:8086", spool_dir=tmp_path, quota_bytes=2**20)
    assert small.spool_segment_bytes == 2**18


def test_retry_after_is_understood_as_seconds_and_as_a_date() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert retry_after_seconds("120", now) == 120
    assert retry_after_seconds("Mon, 01 Jun 2026 12:01:30 GMT", now) == 90
    assert retry_after_seconds("Mon, 01 Jun 2026 12:01:30 GMT", now + timedelta(hours=1)) == 0
    for unreadable in (None, "", "soon", "-5", "Mon, 01 Jun 2026 12:01:30"):
        assert retry_after_seconds(unreadable, now) in (None, 90)
