"""Dashboards as code, and their way to a Grafana server."""
