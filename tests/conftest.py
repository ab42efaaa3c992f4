"""Shared by every test."""

from __future__ import annotations

from hypothesis import settings

# A loaded machine is slow, not wrong.
settings.register_profile("depot", deadline=None)
settings.load_profile("depot")
