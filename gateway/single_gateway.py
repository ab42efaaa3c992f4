"""Two gateways on one depot would not be safe together; a lock on the data folder keeps the second one out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from twin_core.errors import ConfigurationError


@contextmanager
def only_gateway(data_dir: Path) -> Iterator[None]:
    """Hold a depot's data folder for this process; released with the process, however it ends.

    Raises:
        ConfigurationError: another process holds it, or it is no folder that can be written to.
    """
    with _lock_file(data_dir) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise ConfigurationError(
                f"{data_dir} is in use by another gateway (process {holder}): stop it first, or give another data_dir"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _lock_file(data_dir: Path) -> TextIO:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / "gateway.lock").open("a+")
    except OSError as error:
        raise ConfigurationError(
            f"data_dir: {data_dir} cannot be used ({error.strerror}): name a folder that this user may write to"
        ) from error
