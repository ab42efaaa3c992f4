"""What answers each CALL of a charger, one function a message; `connectors.ocpp.routing` is the table of them.

- `status`        BootNotification, Heartbeat, StatusNotification
- `metering`      MeterValues
- `transactions`  Authorize, StartTransaction, StopTransaction
- `upkeep`        firmware, diagnostics and log states, private messages
- `security`      security events and certificate requests
- `answering`     how a CALL may be answered: at once, or when a fact is on disk
"""
