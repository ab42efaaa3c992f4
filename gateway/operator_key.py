"""The key to a running gateway's door, in its data folder: whoever may read that folder may give orders."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twin_core.errors import ConfigurationError

KEY_FILE = "operator.json"


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """Where a gateway's door is, and what opens it."""

    url: str
    key: str


def new_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_urlsafe(32)


@contextmanager
def published_key(data_dir: Path, key: OperatorKey) -> Iterator[None]:
    """Leave the key in the data folder, readable by its owner alone, for as long as the gateway runs."""
    path = data_dir / KEY_FILE
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"url": key.url, "key": key.key}, file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_key(data_dir: Path) -> OperatorKey:
    """The key of the gateway that runs on a data folder.

    Raises:
        ConfigurationError: none runs there, or its key cannot be read.
    """
    path = data_dir / KEY_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return OperatorKey(str(found["url"]), str(found["key"]))
    except FileNotFoundError:
        raise ConfigurationError(
            f"no gateway with a panel runs on {data_dir}: start it, and give the same site or data folder"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error}); run this as the gateway's own user") from error
