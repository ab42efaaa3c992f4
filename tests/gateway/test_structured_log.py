"""The log: one line an entry, and nobody outside can write a line of their own."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.structured_log import TRACE_MARGIN, JsonFormatter, TextFormatter, configure_logging

FORGED = "CP1\n12:00:00 WARNING connectors.ocpp refused cause=none"


def record(message: str = "refused", error: Exception | None = None, **fields: object) -> logging.LogRecord:
    info = None if error is None else (type(error), error, None)
    made = logging.LogRecord("connectors.ocpp", logging.WARNING, __file__, 1, message, (), info)
    vars(made).update(fields)
    return made


@given(st.text())
def test_whatever_a_stranger_sends_an_entry_stays_one_line_in_text_and_in_json(stranger: str) -> None:
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(record(charger=stranger, detail=stranger))
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line


def test_a_forged_line_is_seen_for_what_it_is() -> None:
    line = TextFormatter().format(record(charger=FORGED))
    assert "\\n12:00:00 WARNING" in line


def test_a_value_cannot_pass_for_another_field() -> None:
    assert 'charger="CP1 cause=ok"' in TextFormatter().format(record(charger="CP1 cause=ok"))


def test_an_exception_s_own_words_cannot_forge_a_line_either() -> None:
    lines = TextFormatter().format(record(error=ValueError(FORGED), charger=FORGED)).splitlines()
    assert len(lines) > 1
    assert all(line.startswith(TRACE_MARGIN) for line in lines[1:])
    assert "\x1b" not in TextFormatter().format(record(error=ValueError("\x1b[2J")))
    assert len(JsonFormatter().format(record(error=ValueError(FORGED))).splitlines()) == 1


def test_json_entries_carry_every_field() -> None:
    entry = json.loads(JsonFormatter().format(record(charger="CP1", count=3)))
    assert entry["level"] == "warning"
    assert entry["event"] == "refused"
    assert (entry["charger"], entry["count"]) == ("CP1", 3)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("logging_as_before")
def test_talkative_libraries_are_kept_to_warnings_also_where_everything_is_logged() -> None:
    configure_logging("debug", "json")
    assert logging.getLogger().level == logging.DEBUG
    assert logging.getLogger("websockets").getEffectiveLevel() == logging.WARNING
