"""OCPP 1.6J central system: charge points on WebSockets, their messages as events, grants as charging profiles.

Which file for which task:

- `central_system`  who is connected; the door for grants and operations
- `handshake`       which socket may become which charger's link
- `session`         one charger's link, from its first frame to its last
- `frames`, `calls`, `schemas`  the RPC layer: reading frames, our calls and their answers, the official schemas
- `routing`         every action of the standard: what answers it, or what asks it; `supported` makes the manual's table
- `incoming`        what answers a charger's CALLs, one function a message
- `requests`        what can be asked of a charger, one function a message
- `operations`      what an operator can do with a charger, and what it said; `local_lists` and `reservations` beside it
- `vendors`         who answers private messages (DataTransfer)
- `upkeep`          local lists, reservations and certificate requests, where no store keeps them
- `translate`       what a charger reports, as events in kW, kWh and A by grid phase
- `profiles`        a grant or a fallback, as a SetChargingProfile payload
- `charger`         what is known of a charger while it is connected, and what is learned of it for good
- `proof`, `clipping`  whether its draw shows that it keeps its limits, and limits that others left in it
- `own_clock`, `registers`  a charger's clock and energy registers, where they cannot be what they say
- `bookkeeping`     transactions that charger and ledger see differently, and vehicles that sleep
- `commissioning`   the boot order: fallback, read back, abilities, configuration
- `actuation`       grants on their way to the wire, and what became of them
- `upstream`        the gateway as local controller: chargers forwarded to a second central system
- `refusals`        what was not believed: counted, logged once, told to the twin
"""
