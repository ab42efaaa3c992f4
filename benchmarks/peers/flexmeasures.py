"""FlexMeasures' device scheduler beside ours: a similar problem, not the same, solved in an environment of its own.

Its cars leave with an exact amount of energy and no shortfall is possible, so each car's demand is cut to a part that
the site can carry; windows are whole steps. Its API, database and rounding are left out, to its advantage.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import numpy as np

from twin_core.models.problem import PlanningProblem

HOME = Path("build/peers")
_HERE = Path(__file__).parent
_DEMAND = 0.8


def installed() -> bool:
    """Whether the peers' environment is there; it is made when it is not, and False says that pip could not."""
    python = HOME / "bin" / "python"
    if not python.is_file():
        venv.create(HOME, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "-r", str(_HERE / "requirements.txt")]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def solve(problem: PlanningProblem, repeats: int) -> dict[str, Any]:
    """Times in ms of some solves, their version, cost and energy."""
    asked = json.dumps({**_asked(problem), "repeats": repeats})
    command = [str(HOME / "bin" / "python"), str(_HERE / "flexmeasures_worker.py")]
    finished = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        print(finished.stderr[-2000:], file=sys.stderr)
        raise SystemExit("FlexMeasures failed on the problem; its own words are above")
    answer: dict[str, Any] = json.loads(finished.stdout.strip().splitlines()[-1])
    return answer


def _asked(problem: PlanningProblem) -> dict[str, Any]:
    cars = []
    for session, inside in zip(problem.sessions, problem.availability(), strict=True):
        whole = np.flatnonzero(inside >= 1 - 1e-9)
        if not whole.size:
            continue
        battery = session.battery
        cars.append(
            {
                "first": int(whole[0]),
                "last": int(whole[-1]) + 1,
                "energy_kwh": session.energy_kwh * _DEMAND,
                "max_kw": session.max_kw,
                "back_kw": session.discharge_max_kw,
                "stored_kwh": 0.0 if battery is None else battery.stored_kwh,
                "least_kwh": 0.0 if battery is None else battery.least_kwh,
                "capacity_kwh": 0.0 if battery is None else battery.capacity_kwh + session.energy_kwh,
            }
        )
    return {
        "step_h": problem.horizon.step_h,
        "price": problem.price_eur_per_kwh.tolist(),
        "limit_kw": problem.caps[0].limit.tolist(),
        "cars": cars,
    }
