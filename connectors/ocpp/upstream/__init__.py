"""The local controller's other side: a second central system (billing) that hears a charger and may not harm control.

Which file for which task:

- `controller`  every charger's relay; the doors for the central system, and what is shown of it all
- `routes`      the routing table with the upstream as a listener
- `relay`       one charger as the upstream sees it: what goes up, what comes back
- `courier`     carries it: linking, booting, delivering in order
- `outbox`      what is to go up, in order; the lasting part of it on disk
- `link`        one WebSocket to the upstream, from open to close
- `requests`    what the upstream asks of a charger: forwarded, kept or refused
- `schedule`    the upstream's charging profiles, as the limit in force now and later (pure)
- `limits`      those profiles as one further limit of each connector, and who of the two binds
- `statements`  starts and stops in the words of the standard, where a charger used others or none (pure)
- `verdicts`    two answers about one tag made one (pure)
- `conflicts`   where the two central systems wanted different things, in words
- `snapshot`    how chargers stand with the upstream, for whoever shows it (pure)
- `settings`    what can be set
"""
