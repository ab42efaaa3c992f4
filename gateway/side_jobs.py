"""Jobs beside control: what one of them stumbles over never stops the depot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

AGAIN_AFTER_S = 60.0


async def kept_up(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run a job until it ends by itself; begin it anew a minute after it failed, and log why it did.

    Args:
        name: of the job, for the log.
        job: begins it; called again after each failure.
    """
    while True:
        try:
            await job()
        except Exception:
            logger.exception("side job failed", extra={"job": name, "again_after_s": AGAIN_AFTER_S})
        else:
            return
        await asyncio.sleep(AGAIN_AFTER_S)
