"""What a depot learns of its own past, as far as its site file lets it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime

from connectors.store.database import Store
from connectors.store.past_sessions import past_sessions
from gateway.site_file import SiteFile
from twin_core.forecasting.foresight import DAYS_LEARNED, Foresight, learned

logger = logging.getLogger(__name__)

KEEP_ROOM = frozenset({"service_first"})
"""Planners that know a vehicle that is only expected from one that is here; the others are told of nobody."""


async def foresight_of(site: SiteFile, store: Store, now: datetime, *, threaded: bool) -> Foresight:
    """Foresight from the store's past sessions; departures of vehicles that keep a timetable teach nothing.

    Args:
        threaded: learn beside the loop, which thousands of sessions would hold up for a tenth of a second or two.

    Raises:
        StorageError: the store cannot be read.
    """
    wanted = site.foresight
    expects = wanted.expect_arrivals and site.control.planner in KEEP_ROOM
    if not (wanted.learn_departures or expects):
        return Foresight()
    timetabled = {vehicle.id_tag for vehicle in site.fleet if vehicle.keeps_timetable}
    past = [
        replace(session, firm=True) if session.id_tag in timetabled else session
        for session in await past_sessions(store, now, DAYS_LEARNED)
    ]
    zone = site.zone()
    found = await asyncio.to_thread(learned, past, now, zone) if threaded else learned(past, now, zone)
    if not wanted.learn_departures:
        found = replace(found, stays=None, silent_stays=None)
    if not expects:
        found = replace(found, working_days=None, weekends=None)
    logger.info(
        "learned",
        extra={
            "sessions": len(past),
            "departures": found.stays is not None,
            "arrivals": found.working_days is not None or found.weekends is not None,
        },
    )
    return found
