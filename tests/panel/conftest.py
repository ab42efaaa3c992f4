"""The feed is tested on virtual time; pages and ports need the real thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import async_solipsism
import pytest


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name == "test_feed.py":
        return {"virtual": async_solipsism.EventLoop}
    return {"real": asyncio.new_event_loop}
