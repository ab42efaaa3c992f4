# ruff: noqa: D102 - the class says what its attributes hold
"""What the panel reads of a control cycle, as structure: any object with these attributes will do."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from twin_core.models.grant import Verdict
from twin_core.models.ids import ConnectorId, NodeId
from twin_core.models.quantities import Instant, PhaseCurrents
from twin_core.snapshot import Snapshot


class Allotted(Protocol):
    """What a connector was granted, in A per phase, and what kept it from getting more."""

    @property
    def wish_a(self) -> float: ...
    @property
    def limit_a(self) -> float: ...
    @property
    def worst_a(self) -> float: ...
    @property
    def bound_by(self) -> str: ...


class Margin(Protocol):
    """Room left at a node in the worst case; None where the node has no limit of that kind."""

    @property
    def limit_a(self) -> float | None: ...
    @property
    def limit_kw(self) -> float | None: ...
    @property
    def worst_a(self) -> PhaseCurrents: ...
    @property
    def base_a(self) -> PhaseCurrents: ...
    @property
    def margin_a(self) -> float | None: ...
    @property
    def margin_kw(self) -> float | None: ...


class Verified(Protocol):
    """What the measured draw said of the grant in force."""

    @property
    def limit_a(self) -> float: ...
    @property
    def measured_a(self) -> float | None: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def at(self) -> Instant: ...


class Decided(Protocol):
    """The envelope's decision of a cycle."""

    @property
    def allotments(self) -> Mapping[ConnectorId, Allotted]: ...
    @property
    def margins(self) -> Mapping[NodeId, Margin]: ...
    @property
    def shedding(self) -> bool: ...


class Report(Protocol):
    """One control cycle, seen from outside."""

    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def decision(self) -> Decided: ...
    @property
    def verdicts(self) -> Mapping[ConnectorId, Verified]: ...
    @property
    def distrusted(self) -> AbstractSet[ConnectorId]: ...
