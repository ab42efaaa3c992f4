"""The envelope against an adversary, and proof that the adversary is one."""

from __future__ import annotations

import os

import pytest

from tests.twin_core.safety.machine import play
from tests.twin_core.safety.mutants import MUTANTS

GAMES = 300
GAMES_TO_CATCH = 1500
SEED_OF_THE_HUNT = 5
"""The same games every time; `kill_score.py` plays other seeds."""


@pytest.mark.timeout(110)
def test_real_draws_keep_every_limit_whatever_the_adversary_does() -> None:
    """The same games every time; ENVELOPE_SEED=n plays those of another seed, for a hunt."""
    play(GAMES, seed=int(os.environ.get("ENVELOPE_SEED", "1")))


@pytest.mark.parametrize("name", MUTANTS)
def test_the_adversary_catches_an_envelope_with_one_rule_broken(name: str) -> None:
    with MUTANTS[name](), pytest.raises(AssertionError, match=r"allowed|on the supply"):
        play(GAMES_TO_CATCH, seed=SEED_OF_THE_HUNT)
