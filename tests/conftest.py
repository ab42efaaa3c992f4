"""Shared by every test."""

from __future__ import annotations
