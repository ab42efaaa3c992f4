"""Virtual time for these tests; those on real sockets say so in their file name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import async_solipsism
import pytest


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if "real_sockets" in item.path.name:
        return {"real": asyncio.new_event_loop}
    return {"virtual": async_solipsism.EventLoop}
