"""The other side of the wire: charge points, vehicles, meters, whole depots and faults between them and the gateway.

Nothing here imports a connector: two independent readings of OCPP and of the meters' payloads check each other.

Where to look in a charge point:

- `requests`: the table of all requests it answers, and what each must hold
- `core_requests`, `smart_charging`, `triggers`, `firmware`, `diagnostics`, `authorisation`, `reservations`,
  `certificates`: who answers them, a profile each
- `sessions`: vehicles and transactions; `expected`: remote starts that wait; `transaction_data`: what a stop will tell
- `reports`: what it says of itself; `sampling`: what its meters show; `configuration`: its keys, and what each does
- `controller`: registration, restarts and power; `machine`: what all parts stand on; `agenda`: its timers
- `outbox`: what leaves when; `wire`: frames; `charge_point`: its links
- `station` and below: outlets, profiles and vehicles, without any message

And in a depot of them (`depot`): `scenario` and `events` are what a file may say, `fitting` whether it fits the site,
`staging` lets the events happen.
"""
