"""The file of the lines that the server refused for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path


class DeadLetterFile:
    """Refused lines, each under a comment with the server's words; the file itself is valid line protocol.

    Args:
        max_bytes: a full file takes no more; the caller counts the lines either way.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def put(self, lines: Sequence[bytes], reason: str, utc: datetime) -> bool:
        """Append lines; False when they did not fit.

        Raises:
            OSError: the disk refused.
        """
        comment = f"# {utc.isoformat(timespec='seconds')} {' '.join(reason.split())}\n".encode()
        entry = comment + b"".join(line + b"\n" for line in lines)
        size = self._path.stat().st_size if self._path.exists() else 0
        if size + len(entry) > self._max_bytes:
            return False
        with self._path.open("ab") as file:
            file.write(entry)
        return True
