"""One gateway a journal: two that plan for the same chargers would each hand out the other's current."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from twin_core.errors import StorageError


class GatewayLock:
    """A lock beside a journal, held while the file is open and freed by the kernel however the process ends.

    Raises:
        StorageError: another gateway holds it, or the folder cannot be written to.
    """

    def __init__(self, journal: Path) -> None:
        path = journal.with_name(f"{journal.name}.lock")
        try:
            self._file: IO[str] = path.open("w")
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise StorageError(f"{journal} is in use by another gateway; stop that one first") from error

    def release(self) -> None:
        """Let the next gateway in."""
        self._file.close()
