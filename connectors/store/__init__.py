"""Durable state: transactions, grants, events and local history in SQLite."""
