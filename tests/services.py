"""Programs some tests need from the machine: found, or the test is skipped by name, or (REQUIRE_SERVICES=1) failed."""

from __future__ import annotations

import os
import shutil
import socket

import pytest

_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def require_program(name: str) -> str:
    """Path of an installed program; without it the test is skipped, or fails where servers are required."""
    path = shutil.which(name, path=_PLACES)
    if path is not None:
        return path
    message = f"{name} is not installed; `make services` installs it from Debian's packages"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """A TCP port on loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
