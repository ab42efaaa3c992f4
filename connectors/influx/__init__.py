"""Telemetry to InfluxDB through a spool on disk."""
