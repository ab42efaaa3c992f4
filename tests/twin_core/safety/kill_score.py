"""How many games each broken envelope survives: `python -m tests.twin_core.safety.kill_score [SEEDS] [GAMES]`."""

from __future__ import annotations

import logging
import sys

from tests.twin_core.safety.machine import EnvelopeMachine, play
from tests.twin_core.safety.mutants import MUTANTS


def games_to_kill(name: str, seed: int, games: int) -> int | None:
    """Games until a broken envelope was caught; None when it never was."""
    played = 0

    class Counted(EnvelopeMachine):
        def __init__(self) -> None:
            super().__init__()
            nonlocal played
            played += 1

    try:
        with MUTANTS[name]():
            play(games, seed=seed, machine=Counted)
    except AssertionError:
        return played
    return None


def main(seeds: int = 5, games: int = 1500) -> None:
    logging.disable(logging.CRITICAL)
    killed = 0
    for name in MUTANTS:
        score = [games_to_kill(name, seed, games) for seed in range(1, seeds + 1)]
        killed += sum(count is not None for count in score)
        print(f"{name:34s}" + "".join(f"{'-' if count is None else count:>8}" for count in score), flush=True)
    print(f"{killed} of {seeds * len(MUTANTS)} killed")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))
