"""`[upstream]` of the site file: the second central system (billing) that the chargers are forwarded to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.ocpp.upstream.settings import ASKABLE, FORWARDABLE, UpstreamSettings
from gateway.secret import secret
from gateway.site_fields import Table
from gateway.tls import client_tls
from twin_core.models.ids import ChargerId

Subprotocol = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,32}$")]


class UpstreamTable(Table):
    """`[upstream]`; a charger whose password there is its own names it in its own table."""

    url: str
    subprotocol: Subprotocol = "ocpp1.6"
    password_env: str | None = None
    ca_file: Path | None = None
    messages: tuple[str, ...] | None = None
    requests: tuple[str, ...] | None = None
    adopted_tag: Annotated[str, Field(pattern=r"^[!-~]{1,20}$")] = "UNKNOWN"
    answer_s: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 2.0
    keep: Annotated[int, Field(ge=10, le=1_000_000)] = 5_000

    @field_validator("url")
    @classmethod
    def _url_is_a_websocket(cls, value: str) -> str:
        if not _is_plain_websocket(value):
            raise ValueError(
                "write ws://HOST/PATH or wss://HOST/PATH, without a query and without a password; each charger's "
                "identity is added at the end"
            )
        return value

    @model_validator(mode="after")
    def _a_certificate_needs_tls(self) -> UpstreamTable:
        if self.ca_file is not None and not self.url.startswith("wss:"):
            raise ValueError("ca_file: the address has no TLS: write wss://HOST/PATH, or leave ca_file out")
        return self

    @field_validator("messages")
    @classmethod
    def _messages_can_be_forwarded(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return _known(value, FORWARDABLE)

    @field_validator("requests")
    @classmethod
    def _requests_can_be_asked(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return _known(value, ASKABLE)


def _is_plain_websocket(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # its text would show the whole address
        return False
    secret_parts = parts.query or parts.fragment or "@" in url
    return parts.scheme in ("ws", "wss") and bool(parts.hostname) and not secret_parts


def _known(given: tuple[str, ...] | None, allowed: frozenset[str]) -> tuple[str, ...] | None:
    unknown = [name for name in given or () if name not in allowed]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} cannot stand here; choose from {', '.join(sorted(allowed))}")
    return given


def upstream_settings(table: UpstreamTable, own_env: Mapping[str, str], speed: float) -> UpstreamSettings:
    """The table as settings; what waits for the network is measured on the wall, as everywhere in the gateway.

    Args:
        table: what the site file says.
        own_env: environment variables of the chargers that have a password of their own, by identity.
        speed: how much faster than the wall the loop's clock runs.

    Raises:
        ConfigurationError: an environment variable is named but not set, or the certificate authority cannot be read.
    """
    defaults = UpstreamSettings(table.url)
    own: dict[ChargerId, SecretStr | None] = {
        ChargerId(charger): secret(variable, f"password of {charger} at the upstream")
        for charger, variable in own_env.items()
    }
    shared = secret(table.password_env, "password at the upstream")
    return UpstreamSettings(
        url=table.url,
        subprotocol=table.subprotocol,
        passwords={charger: found.get_secret_value() for charger, found in own.items() if found is not None},
        password=None if shared is None else shared.get_secret_value(),
        tls=client_tls(table.ca_file, "upstream.ca_file") if table.url.startswith("wss:") else None,
        messages=FORWARDABLE if table.messages is None else frozenset(table.messages),
        requests=ASKABLE if table.requests is None else frozenset(table.requests),
        adopted_tag=table.adopted_tag,
        answer_s=table.answer_s * speed,
        keep=table.keep,
        call_timeout_s=defaults.call_timeout_s * speed,
        request_timeout_s=defaults.request_timeout_s * speed,
        open_timeout_s=defaults.open_timeout_s * speed,
        close_timeout_s=defaults.close_timeout_s * speed,
        ping_s=defaults.ping_s * speed,
        backoff_min_s=defaults.backoff_min_s * speed,
        backoff_max_s=defaults.backoff_max_s * speed,
    )
