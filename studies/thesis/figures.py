"""The thesis' figures for the first seed of a set-up, as PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studies.prices import PriceHistory
from studies.thesis.cars import CarsDay
from studies.thesis.cohort import CohortDay
from studies.thesis.outcome import Row
from studies.thesis.scenario import DAY_H
from twin_core.models.problem import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OPTIMAL, _FIFS, _CARBON, _STAYING = "#0b5fa5", "#c8501e", "#3a7d44", "#7b3f98"
_MOST_IN_A_ROW = 4
"""Entries that a legend below the picture has room for."""


def draw_figures(folder: Path, day: CarsDay | CohortDay, prices: PriceHistory, front: Sequence[Row] = ()) -> list[Path]:
    """Draw a set-up's figures into a folder; files are named after the set-up and what they show.

    Args:
        folder: made if absent.
        day: one seed in full.
        prices: the history, of which the set-up's days count.
        front: cost and carbon by weight λ; empty draws no trade-off.

    Returns:
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    history = prices.between(day.set_up.prices.first, day.set_up.prices.last)
    drawn = {"price_covariance": _figure(lambda ax: _covariance(ax, history), size=(6.4, 5.2))}
    drawn |= _of_cars(day, front) if isinstance(day, CarsDay) else _of_cohorts(day)
    written: list[Path] = []
    for name, figure in drawn.items():
        figure.suptitle(f"({day.set_up.name}) {day.set_up.title}", fontsize=10)
        for suffix, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
            path = folder / f"{day.set_up.name}_{name}.{suffix}"
            figure.savefig(path, dpi=150, metadata=metadata)
            written.append(path)
    return written


def _of_cars(day: CarsDay, front: Sequence[Row]) -> dict[str, Figure]:
    found = {
        "price": _figure(lambda ax: _prices(ax, day)),
        "occupancy": _figure(lambda ax: _occupancy(ax, day)),
        "availability": _figure(lambda ax: _availability(ax, day)),
        "power": _figure(lambda ax: _powers(ax, day)),
        "cost_per_ev": _figure(lambda ax: _cost_per_ev(ax, day)),
    }
    if front:
        found["pareto"] = _figure(lambda ax: _pareto(ax, front))
    return found


def _of_cohorts(day: CohortDay) -> dict[str, Figure]:
    ways = [(day.optimal, _OPTIMAL, "optimal", "-"), (day.fifs, _FIFS, "FIFS, all the model's rows allow", "--")]
    if not np.allclose(day.fifs.charging, day.fifs_staying.charging):
        ways.append((day.fifs_staying, _STAYING, "FIFS, only who stays", ":"))
    parked = [(run.waiting[:-1].sum(axis=1), colour, label, style) for run, colour, label, style in ways]
    power = [(run.power_kw, colour, label, style) for run, colour, label, style in ways]
    return {
        "price": _figure(lambda ax: _one_price(ax, day.model.price_eur_per_kwh)),
        "arrival_rate": _figure(lambda ax: _rate(ax, day)),
        "occupancy": _figure(lambda ax: _side_by_side(ax, parked, "cars parked")),
        "power": _figure(lambda ax: _side_by_side(ax, power, "power of all cars (kW)")),
        "charging_by_class": _figure(lambda ax: _by_class(ax, day.optimal.charging, "cars charging, C")),
        "states_by_class": _figure(lambda ax: _by_class(ax, day.optimal.waiting[:-1], "cars that want more, X")),
    }


def _figure(draw: Callable[[Axes], None], size: tuple[float, float] = (8.0, 4.5)) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 -- an extra, needed only here

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    draw(axes)
    handles, names = axes.get_legend_handles_labels()
    # Outside, so that it hides no curve; the topmost of a stack comes first.
    if len(handles) > _MOST_IN_A_ROW:
        figure.legend(handles[::-1], names[::-1], loc="outside right upper", fontsize=7)
    elif handles:
        figure.legend(handles, names, loc="outside lower center", ncols=len(handles))
    return figure


def _hours(axes: Axes) -> None:
    axes.set_xlim(0, DAY_H)
    axes.set_xticks(range(0, 25, 3))
    axes.set_xlabel("hour of the day")
    axes.grid(alpha=0.3)


def _over_day(axes: Axes, values: Array, colour: str, label: str = "", style: str = "-") -> None:
    """Values of steps as what they are, means that hold for a step."""
    edges = np.linspace(0, DAY_H, values.size + 1)
    axes.step(edges, np.append(values, values[-1]), where="post", color=colour, label=label, linestyle=style)


def _side_by_side(axes: Axes, ways: Sequence[tuple[Array, str, str, str]], what: str) -> None:
    for values, colour, label, style in ways:
        _over_day(axes, values, colour, label, style)
    axes.set_ylabel(what)
    axes.set_ylim(bottom=0)
    _hours(axes)


def _one_price(axes: Axes, price_eur_per_kwh: Array, label: str = "") -> None:
    _over_day(axes, price_eur_per_kwh, _OPTIMAL, label)
    axes.set_ylabel("price (€/kWh)")
    _hours(axes)


def _prices(axes: Axes, day: CarsDay) -> None:
    if day.problem.carbon_kg_per_kwh is None:
        _one_price(axes, day.problem.price_eur_per_kwh)
    else:
        _one_price(axes, day.problem.price_eur_per_kwh, "electricity")
        carbon = day.problem.carbon_kg_per_kwh * day.problem.carbon_eur_per_kg
        _over_day(axes, carbon, _CARBON, "carbon, λ·C₀·e", "--")
        axes.set_ylim(bottom=0)


def _occupancy(axes: Axes, day: CarsDay) -> None:
    _over_day(axes, day.problem.availability().sum(axis=0), _OPTIMAL)
    axes.set_ylabel("cars parked")
    axes.set_ylim(bottom=0)
    _hours(axes)


def _availability(axes: Axes, day: CarsDay) -> None:
    inside = day.problem.availability()
    axes.imshow(
        inside,
        aspect="auto",
        cmap="Reds",
        interpolation="nearest",
        extent=(0, DAY_H, inside.shape[0], 0),
        vmin=0,
        vmax=1,
    )
    axes.fill_between([], [], color="#67000d", label="parked")
    axes.set_ylabel("car, by arrival")
    _hours(axes)


def _powers(axes: Axes, day: CarsDay) -> None:
    ways = [
        (day.optimal.power_kw.sum(axis=0), _OPTIMAL, "optimal", "-"),
        (day.fifs.power_kw.sum(axis=0), _FIFS, "FIFS", "--"),
    ]
    _side_by_side(axes, ways, "power of all cars (kW)")
    # A cap far above what is used would flatten the curves.
    highest = max(plan.power_kw.sum(axis=0).max() for plan in (day.optimal, day.fifs))
    if day.set_up.cap_kw < 2 * highest:
        axes.axhline(day.set_up.cap_kw, color="black", linewidth=0.8, linestyle=":", label="cap")
        axes.set_ylim(top=1.05 * max(highest, day.set_up.cap_kw))


def _cost_per_ev(axes: Axes, day: CarsDay) -> None:
    rate = day.problem.price_eur_per_kwh * day.problem.horizon.hours
    cars = np.arange(1, len(day.problem.sessions) + 1)
    for plan, colour, marker, label in ((day.fifs, _FIFS, "x", "FIFS"), (day.optimal, _OPTIMAL, "o", "optimal")):
        cost = plan.power_kw @ rate
        axes.plot(cars, cost, marker, color=colour, markersize=4, label=f"{label}, mean {cost.mean():.2f} €")
    axes.set_xlabel("car, by arrival")
    axes.set_ylabel("cost of its energy (€)")
    axes.grid(alpha=0.3)


def _pareto(axes: Axes, front: Sequence[Row]) -> None:
    cost, carbon = [row["cost_eur"] for row in front], [row["carbon_kg"] for row in front]
    axes.plot(carbon, cost, "o-", color=_OPTIMAL)
    for row in front:
        axes.annotate(
            f"λ = {row['weight']:g}",
            (row["carbon_kg"], row["cost_eur"]),
            xytext=(6, 4),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xlabel(f"carbon (kg) at {front[0]['delivered_kwh']:,.0f} kWh delivered")
    axes.set_ylabel("cost of energy (€)")
    axes.margins(x=0.12, y=0.1)
    axes.grid(alpha=0.3)


def _covariance(axes: Axes, history: PriceHistory) -> None:
    shown = axes.imshow(history.hourly_covariance() * 1e4, cmap="viridis", origin="lower", extent=(0, DAY_H, 0, DAY_H))
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(shown, ax=axes, label="covariance of prices ((ct/kWh)²)")
    axes.set_ylabel("hour of the day")
    axes.set_yticks(range(0, 25, 3))
    _hours(axes)
    axes.grid(visible=False)


def _rate(axes: Axes, day: CohortDay) -> None:
    _over_day(axes, day.arrivals.rate_per_h, _OPTIMAL)
    axes.set_ylabel("arrivals λ (cars per hour)")
    axes.set_ylim(bottom=0)
    _hours(axes)


def _by_class(axes: Axes, cars: Array, what: str) -> None:
    from matplotlib import colormaps  # noqa: PLC0415 -- an extra, needed only here

    classes = range(1, cars.shape[1])
    colours = colormaps["viridis_r"](np.linspace(0.05, 1.0, len(classes)))
    edges = np.linspace(0, DAY_H, cars.shape[0] + 1)
    stacked = np.vstack([cars[:, 1:], cars[-1:, 1:]]).T
    labels = [f"class {i}" for i in classes]
    axes.stackplot(edges, stacked, labels=labels, colors=list(colours), step="post")
    axes.set_ylabel(what)
    axes.set_ylim(bottom=0)
    _hours(axes)
