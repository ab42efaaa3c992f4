"""Meters and driver requests over MQTT."""
