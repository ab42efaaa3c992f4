"""One question to a running gateway's door, from a command line."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

from gateway.operator_key import OperatorKey
from twin_core.errors import ConfigurationError

PATIENCE_S = 120.0
"""On the wall: longer than a charger may take behind another question and a boot."""


def ask_gateway(key: OperatorKey, method: str, path: tuple[str, ...], body: dict[str, Any] | None = None) -> Any:
    """What the gateway answered, decoded.

    Raises:
        ConfigurationError: nobody answers there, or the gateway says that the question makes no sense.
    """
    door = urlsplit(key.url)
    link = http.client.HTTPConnection(door.hostname or "", door.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {key.key}", "Content-Type": "application/json"}
    sent = None if body is None else json.dumps(body)
    try:
        link.request(method, "/" + "/".join(quote(part, safe="") for part in path), sent, headers)
        answer = link.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise ConfigurationError(f"the gateway at {key.url} does not answer ({error}): does it run?") from error
    finally:
        link.close()
    try:
        found = json.loads(text)
    except ValueError:
        found = {"detail": text.decode("utf-8", "replace")[:200]}
    if answer.status != 200:
        raise ConfigurationError(str(found.get("detail", found) if isinstance(found, dict) else found))
    return found
