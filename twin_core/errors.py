"""Everything the product raises on purpose.

DepotError
├── ConfigurationError   a site, scenario or option that cannot work; the text says which field and what to do
├── PlanningError        a planner returned no usable plan; the caller falls back in the same tick
├── StorageError         the disk refused a fact that must be durable
└── ProtocolError        a peer said something no reading of its standard allows
"""

from __future__ import annotations


class DepotError(Exception):
    """Root of the errors this product raises on purpose."""


class ConfigurationError(DepotError):
    """A site, scenario or option cannot work as written; the message names the field and the remedy."""


class PlanningError(DepotError):
    """A planner produced no plan that may be used."""


class StorageError(DepotError):
    """A fact that must be durable could not be written."""


class ProtocolError(DepotError):
    """A peer broke its protocol beyond any lenient reading."""
