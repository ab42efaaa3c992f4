"""FlexMeasures' device scheduler on a problem from standard input; runs in the peers' own environment.

In:  {"repeats": 5, "step_h": 0.25, "price": [€/kWh], "limit_kw": [kW], "cars": [{"first", "last", "energy_kwh",
     "max_kw", "back_kw", "stored_kwh", "least_kwh", "capacity_kwh"}]}
Out: {"ms": [...], "version": "...", "cost_eur": ...}
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import flask
import numpy as np
import pandas as pd
from flexmeasures.data.models.planning.linear_optimization import device_scheduler


def main() -> None:
    """Solve what comes in, several times, and say how long each took."""
    asked = json.load(sys.stdin)
    app = flask.Flask("peer")
    app.config.update(FLEXMEASURES_LP_SOLVER="highspy", LOGGING_LEVEL="INFO")
    times_ms, cost_eur = [], 0.0
    with app.app_context():
        for _ in range(asked["repeats"] + 1):
            arguments = _arguments(asked)
            begun_s = time.perf_counter()
            planned, *_ = device_scheduler(**arguments)
            times_ms.append((time.perf_counter() - begun_s) * 1e3)
    total_kw = np.sum([series.to_numpy() for series in planned], axis=0)
    cost_eur = float(np.array(asked["price"]) @ total_kw) * asked["step_h"]
    delivered_kwh = float(total_kw.sum()) * asked["step_h"]
    answer = {"ms": times_ms[1:], "version": version("flexmeasures"), "cost_eur": cost_eur, "kwh": delivered_kwh}
    print("\n" + json.dumps(answer))  # HiGHS writes its banner to the same stream


def _arguments(asked: dict[str, Any]) -> dict[str, Any]:
    """Cars as stocks that start at 0 and must hold the wanted energy on departure; the price as one commitment."""
    step_h, price = asked["step_h"], np.array(asked["price"])
    index = pd.date_range("2026-06-01", periods=price.size, freq=pd.Timedelta(hours=step_h), tz="UTC", name="datetime")
    devices = [_device(index, car, step_h) for car in asked["cars"]]
    limit_kw = np.array(asked["limit_kw"])
    can_give_back = any(car["back_kw"] for car in asked["cars"])
    site = pd.DataFrame(
        {"derivative max": limit_kw, "derivative min": -limit_kw if can_give_back else 0.0}, index=index
    )
    zero = pd.Series(0.0, index=index)
    return {
        "device_constraints": devices,
        "ems_constraints": site,
        "commitment_quantities": [zero],
        "commitment_downwards_deviation_price": [pd.Series(price * step_h, index=index)],
        "commitment_upwards_deviation_price": [pd.Series(price * step_h, index=index)],
        "initial_stock": 0.0,
    }


def _device(index: pd.DatetimeIndex, car: dict[str, Any], step_h: float) -> pd.DataFrame:
    steps = np.arange(index.size)
    here = (steps >= car["first"]) & (steps < car["last"])
    # Stocks are in kW·steps, as the scheduler counts them.
    wanted = min(car["energy_kwh"], car["max_kw"] * (car["last"] - car["first"]) * step_h) / step_h
    equal = np.full(index.size, np.nan)
    equal[car["last"] - 1] = wanted
    low = -(car["stored_kwh"] - car["least_kwh"]) / step_h if car["back_kw"] else 0.0
    high = (car["capacity_kwh"] - car["stored_kwh"]) / step_h if car["back_kw"] else wanted
    return pd.DataFrame(
        {
            "equals": equal,
            "max": high,
            "min": low,
            "derivative max": np.where(here, car["max_kw"], 0.0),
            "derivative min": np.where(here, -car["back_kw"], 0.0),
            "derivative equals": np.nan,
            "derivative up efficiency": 0.95 if car["back_kw"] else 1.0,
            "derivative down efficiency": 0.95 if car["back_kw"] else 1.0,
        },
        index=index,
    )


if __name__ == "__main__":
    main()
