"""What figures are drawn with: an extra that not everybody installs."""

from __future__ import annotations

import importlib.util

from twin_core.errors import ConfigurationError


def require_matplotlib() -> None:
    """Say what to install where matplotlib is not.

    Raises:
        ConfigurationError: it is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigurationError(
            "figures need matplotlib, which is not installed: pip install 'depot-twin[studies]' (or pip install "
            "'matplotlib>=3.9')"
        )
