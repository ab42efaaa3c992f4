"""Logging: one line an entry with its fields, text for people, JSON for machines; nothing outside can forge a line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


TRACE_MARGIN = "    | "
"""No entry begins like this."""


class TextFormatter(logging.Formatter):
    """`12:00:01 WARNING connectors.ocpp refused cause=… charger=…`, control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; an exception follows on lines of their own, each behind `TRACE_MARGIN`."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = " ".join(f"{key}={_quoted(value)}" for key, value in _fields(record).items())
        line = _escaped(f"{at} {record.levelname:<7} {record.name} {record.getMessage()} {fields}".rstrip())
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            line += "".join(f"\n{TRACE_MARGIN}{_escaped(part)}" for part in trace)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def _quoted(value: object) -> str:
    """A value in words; quoted where it could be read as more than one field."""
    text = str(value)
    if isinstance(value, str) and any(letter in ' ="' for letter in text):
        return json.dumps(text, ensure_ascii=False)
    return text


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


def configure_logging(level: str, style: str) -> None:
    """Log to standard error. Libraries that talk a lot are kept to warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("amqtt", "transitions", "websockets", "uvicorn", "asyncio", "mqtt", "urllib3", "influxdb_client"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    for silent in ("amqtt", "transitions"):
        logging.getLogger(silent).setLevel(logging.CRITICAL)
