"""A charger that was never seen to keep a limit is told that it may charge once the site bears all it can draw."""

from __future__ import annotations

import asyncio

from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.incoming.answering import Durable, Inline, Written
from twin_core.models.quantities import Instant

LOOK_EVERY_S = 0.5


def after_room(route: Inline | Durable) -> Durable:
    """The same answer, held back while there is no room, for as long as a charger may be kept waiting."""

    async def handle(charger: Charger, payload: Payload, at: Instant) -> Written:
        await _wait_for_room(charger)
        match route:
            case Inline(answer):
                return Written(answer(charger, payload, at))
            case Durable(write):
                return await write(charger, payload, at)

    return Durable(handle)


async def _wait_for_room(charger: Charger) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + charger.settings.newcomer_wait_s
    while not charger.around.bears(charger.spec.id):
        if loop.time() >= until_s:
            charger.refuse("newcomer-without-room", "the others did not come down in time")
            return
        await asyncio.sleep(LOOK_EVERY_S)
