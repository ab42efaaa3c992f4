"""Passwords and tokens come from the environment; site files only name the variable."""

from __future__ import annotations

import os
import re

from pydantic import SecretStr

from twin_core.errors import ConfigurationError


def secret(variable: str | None, purpose: str) -> SecretStr | None:
    """A secret from the environment.

    Raises:
        ConfigurationError: the variable is named but not set.
    """
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(f"environment variable {variable} ({purpose}) is not set: export it before starting")
    return SecretStr(value)


def without_secrets(value: str) -> str:
    """A value of a site file as an error may show it: an address without user, password and query."""
    return re.sub(r"(?s)://.*@|\?.*", lambda found: "://***@" if found[0].startswith(":") else "?***", value)
