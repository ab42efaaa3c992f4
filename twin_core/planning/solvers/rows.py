"""Writing down a linear program, block by block, and what the blocks share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix

from twin_core.models.problem import Array
from twin_core.planning.solvers.linear_program import LinearProgram, Mask

Index = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the sessions' powers are made of: every column that is part of one, one entry each.

    Attributes:
        session: row of the session.
        step: step of the horizon.
        column: column of the linear program.
        kw: power into the vehicle per unit of the column; negative for what it gives back.
        counted_kwh: energy that counts towards what it wants, per unit of the column.
        single: whether this is power on one phase of a charger that has been switched to it.
    """

    session: Index
    step: Index
    column: Index
    kw: Array
    counted_kwh: Array
    single: Mask

    @classmethod
    def joined(cls, *blocks: Terms) -> Terms:
        """All of them, in this order."""
        return cls(
            *(
                np.concatenate([getattr(block, name) for block in blocks])
                for name in ("session", "step", "column", "kw", "counted_kwh", "single")
            )
        )

    def power_kw(self, x: Array, shape: tuple[int, int]) -> Array:
        """Net power into each vehicle at a point of the linear program."""
        flat = np.bincount(self.session * shape[1] + self.step, self.kw * x[self.column], shape[0] * shape[1])
        return np.asarray(flat.reshape(shape))

    def point(self, charging_kw: Array, n_columns: int) -> Array:
        """The point at which vehicles charge with these powers, on as many phases as they can; all else is 0."""
        x, charging = np.zeros(n_columns), (self.kw > 0) & ~self.single
        x[self.column[charging]] = (charging_kw[self.session, self.step] / self.kw)[charging]
        return x


@dataclass(slots=True)
class Draft:
    """A linear program while it is being written: columns, rows and entries come in blocks of arrays."""

    n_columns: int = 0
    n_rows: int = 0
    offset_eur: float = 0.0
    _boxes: list[tuple[Array, Array, Mask]] = field(default_factory=list)
    _limits: list[tuple[Array, Array]] = field(default_factory=list)
    _entries: list[tuple[Index, Index, Array]] = field(default_factory=list)
    _prices: list[tuple[Index, Array]] = field(default_factory=list)

    def columns(self, lower: Array | float, upper: Array, *, integer: bool = False) -> Index:
        """New columns, one for each upper limit."""
        size = upper.size
        self._boxes.append((np.broadcast_to(lower, size), upper, np.full(size, integer)))
        self.n_columns += size
        return np.arange(self.n_columns - size, self.n_columns)

    def rows(self, lower: Array | float, upper: Array | float, size: int) -> Index:
        """New rows, so far without entries."""
        self._limits.append((np.broadcast_to(lower, size), np.broadcast_to(upper, size)))
        self.n_rows += size
        return np.arange(self.n_rows - size, self.n_rows)

    def put(self, rows: Index, columns: Index, values: Array | float) -> None:
        """Entries of the matrix; those at the same place add up."""
        self._entries.append((rows, columns, np.broadcast_to(np.asarray(values, dtype=float), np.shape(rows))))

    def upper_of(self, columns: Index) -> Array:
        """Upper limits of columns written before."""
        return np.asarray(np.concatenate([np.zeros(0), *(upper for _, upper, _ in self._boxes)])[columns])

    def either_way(self, into: Index, out: Index) -> None:
        """Of each pair of columns, none below zero, at most one is above it: by a binary."""
        most_in, most_out = self.upper_of(into), self.upper_of(out)
        switch = self.columns(0.0, np.ones(into.size), integer=True)
        rows = self.rows(-np.inf, 0.0, into.size)
        self.put(rows, into, 1.0)
        self.put(rows, switch, -most_in)
        rows = self.rows(-np.inf, most_out, into.size)
        self.put(rows, out, 1.0)
        self.put(rows, switch, most_out)

    def price(self, columns: Index, eur: Array | float) -> None:
        """Adds to the cost of columns."""
        self._prices.append((columns, np.broadcast_to(np.asarray(eur, dtype=float), np.shape(columns))))

    def program(self) -> LinearProgram:
        """What has been written."""
        nothing, nowhere = np.zeros(0), np.zeros(0, dtype=np.int64)
        rows, columns, values = (
            np.concatenate(parts) for parts in zip((nowhere, nowhere, nothing), *self._entries, strict=True)
        )
        lower, upper, integer = (
            np.concatenate(parts)
            for parts in zip((nothing, nothing, np.zeros(0, dtype=bool)), *self._boxes, strict=True)
        )
        row_lower, row_upper = (np.concatenate(parts) for parts in zip((nothing, nothing), *self._limits, strict=True))
        priced, eur = (np.concatenate(parts) for parts in zip((nowhere, nothing), *self._prices, strict=True))
        return LinearProgram(
            cost=np.asarray(np.bincount(priced, eur, self.n_columns), dtype=np.float64),
            matrix=coo_matrix((values, (rows, columns)), shape=(self.n_rows, self.n_columns)).tocsc(),
            row_lower=row_lower,
            row_upper=row_upper,
            lower=lower,
            upper=upper,
            integer=integer,
            offset_eur=self.offset_eur,
        )
