"""A charger that was never seen to keep a limit is told that it may charge once the site bears all it can draw."""

from __future__ import annotations

import asyncio

from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.incoming.answering import Durable, Inline, Written
from twin_core.models.authorisation import TagStatus
from twin_core.models.events import VehicleExpected
from twin_core.models.quantities import Instant

LOOK_EVERY_S = 0.5


def after_room(route: Inline | Durable) -> Durable:
    """The same answer; one that lets a vehicle charge is held back until there is room, within bounds.

    Room is made for a driver who shows a tag before plugging in, too: no status speaks of that vehicle yet.
    """

    async def handle(charger: Charger, payload: Payload, at: Instant) -> Written:
        match route:
            case Inline(answer):
                written = Written(answer(charger, payload, at))
            case Durable(write):
                written = await write(charger, payload, at)
        info = written.answer.get("idTagInfo")
        if isinstance(info, dict) and info.get("status") == TagStatus.ACCEPTED:
            charger.emit(VehicleExpected(at=charger.around.clock.now(), charger_id=charger.spec.id))
            await _wait_for_room(charger)
        return written

    return Durable(handle)


async def _wait_for_room(charger: Charger) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + charger.settings.newcomer_wait_s
    while not charger.around.bears(charger.spec.id):
        if loop.time() >= until_s:
            charger.refuse("newcomer-without-room", "the others did not come down in time")
            return
        await asyncio.sleep(LOOK_EVERY_S)
