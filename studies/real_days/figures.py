"""What every planner is worth beside hindsight, as figures: mean over days, its interval, and every day."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from studies.real_days.contenders import DEFAULT, HINDSIGHT
from studies.real_days.results import CaseKey, Results, Spread
from twin_core.models.problem import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _RED, _GREY = "#0b5fa5", "#c8501e", "#9aa3ab"


@dataclass(frozen=True, slots=True)
class _Shown:
    """One figure: a number of every planner in all cases of a limit.

    Attributes:
        beside_hindsight: whether the difference to hindsight on the same day is shown; else the number itself.
    """

    name: str
    limit: str
    metric: str
    label: str
    beside_hindsight: bool


_FIGURES: Final = (
    _Shown("energy", "tight", "energy_met", "energy met beside hindsight, points", beside_hindsight=True),
    _Shown("demands", "tight", "demands_met", "demands met beside hindsight, points", beside_hindsight=True),
    _Shown("energy", "loose", "energy_met", "energy met beside hindsight, points", beside_hindsight=True),
    _Shown("demands", "loose", "demands_met", "demands met beside hindsight, points", beside_hindsight=True),
    _Shown("saving", "loose", "saving", "saved beside quick_charge at equal energy, %", beside_hindsight=False),
)


def draw_figures(folder: Path, results: Results) -> list[Path]:
    """Draw what was run into a folder, as PNG and PDF, and say what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for shown in _FIGURES:
        cases = [case for case in results.cases if case[0] == shown.limit]
        if cases:
            written += _drawn(folder, shown, cases, results)
    return written


def _drawn(folder: Path, shown: _Shown, cases: list[CaseKey], results: Results) -> list[Path]:
    from matplotlib.figure import Figure  # noqa: PLC0415 -- an extra, needed only here

    rows = (len(cases) + 1) // 2
    figure = Figure(figsize=(11.0, 0.8 + 4.2 * rows), layout="constrained")
    axes = figure.subplots(rows, min(2, len(cases)), squeeze=False, sharex=True).ravel()
    for ax, case in zip(axes, cases, strict=False):
        _case(ax, shown, case, results)
    for ax in axes[len(cases) :]:
        ax.set_axis_off()
    figure.suptitle(f"{shown.limit} limit: {shown.label}")
    written = []
    for suffix, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
        path = folder / f"{shown.limit}_{shown.name}.{suffix}"
        figure.savefig(path, dpi=150, metadata=metadata)
        written.append(path)
    return written


def _case(axes: Axes, shown: _Shown, case: CaseKey, results: Results) -> None:
    """One line a planner, the best at the top: days as dots, their mean with its interval."""
    days = {
        planner: 100 * _values(shown, case, planner, results)
        for planner in results.planners(case)
        if not (shown.beside_hindsight and planner == HINDSIGHT)
    }
    for height, (planner, values) in enumerate(sorted(days.items(), key=lambda item: float(item[1].mean()))):
        spread = Spread.of(values)
        colour = _RED if planner == DEFAULT else _BLUE
        axes.plot(values, [height] * values.size, ".", color=_GREY, markersize=3, alpha=0.5)
        axes.plot([spread.low, spread.high], [height, height], color=colour, linewidth=2)
        axes.plot(spread.mean, height, "o", color=colour, markersize=5)
    axes.set_yticks(range(len(days)), sorted(days, key=lambda planner: float(days[planner].mean())), fontsize=8)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_title(f"{case[1].replace('_', ' ')}, {case[2]} departures", fontsize=10)
    axes.grid(axis="x", alpha=0.3)


def _values(shown: _Shown, case: CaseKey, planner: str, results: Results) -> Array:
    values = results.values(case, planner, shown.metric)
    return values - results.values(case, HINDSIGHT, shown.metric) if shown.beside_hindsight else values
