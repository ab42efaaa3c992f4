"""OCPP 1.6J central system: sockets, calls, messages and charging profiles."""
