"""Peers that cannot live beside our packages: each gets a virtual environment of its own and answers over a pipe."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from twin_core.models.problem import PlanningProblem

HOME = Path("build/peers")
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer with a list of packages `NAME.txt` and a program `NAME_worker.py` in this folder."""

    name: str

    def installed(self) -> bool:
        """Whether its environment is there; it is made when it is not, and False says that pip could not."""
        if not self._python.is_file():
            venv.create(HOME / self.name, with_pip=True)
        command = [str(self._python), "-m", "pip", "install", "--quiet", "-r", str(_HERE / f"{self.name}.txt")]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """What its worker answers; the last line it prints.

        Raises:
            SystemExit: it failed; its own words are on standard error.
        """
        command = [str(self._python), str(_HERE / f"{self.name}_worker.py")]
        finished = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            print(finished.stderr[-2000:], file=sys.stderr)
            raise SystemExit(f"{self.name} failed on the problem; its own words are above")
        answer: dict[str, Any] = json.loads(finished.stdout.strip().splitlines()[-1])
        return answer

    @property
    def _python(self) -> Path:
        return HOME / self.name / "bin" / "python"


@cache
def library_folder(name: str) -> Path | None:
    """Where the packages of `NAME.txt` lie for programs that need them beside our own; None where pip could not.

    They are on nobody's path unless put there.
    """
    folder, wanted = HOME / name, _HERE / f"{name}.txt"
    stamp = folder / wanted.name
    if stamp.is_file() and stamp.read_text() == wanted.read_text():
        return folder.absolute()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder)]
    if subprocess.run([*command, "-r", str(wanted)], check=False, capture_output=True).returncode:
        return None
    stamp.write_text(wanted.read_text())
    return folder.absolute()


def question(problem: PlanningProblem, demand: float) -> dict[str, Any]:
    """A problem on one limit in plain words, windows cut to whole steps.

    Args:
        problem: with the limit of the site as its first cap.
        demand: part of what each car wants that is asked for.
    """
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
                "energy_kwh": session.energy_kwh * demand,
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
