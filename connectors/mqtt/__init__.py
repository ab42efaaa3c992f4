"""Meters and driver requests over MQTT.

`client.py` keeps the link, `intake.py` says where a message goes, `meters.py` turns a reading into the current through
a node, `decoders.py` (with `dsmr.py` and `generic.py`) reads payloads, `requests.py` reads requests and limits, and
`broker.py` is a broker for the demo. Everything but the client and the broker runs without a socket.
"""
