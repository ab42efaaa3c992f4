"""What was learned of a charger reads as a sentence, with why and since when."""

from __future__ import annotations

from typing import Any

import pytest

from panel.learned import learned_lines
from tests.panel.depot import NOON
from twin_core.models.charger import Aspect, Evidence, Learned, ProfilePurpose, RateUnit
from twin_core.models.learned import FIELDS, without

ALL: dict[str, Any] = {
    "fallback_purpose": ProfilePurpose.TX_DEFAULT,
    "purposes": (ProfilePurpose.TX_DEFAULT, ProfilePurpose.TX),
    "unit": RateUnit.WATT,
    "step_a": 1.0,
    "max_stack_level": 0,
    "leases": False,
    "relative": True,
    "clock_off": True,
    "lowest_a": 8.0,
    "delay_s": 34.6,
    "gain": 1.031,
    "proven": True,
    "sleepers": 3,
    "phases": {"1": 3, "2": 1},
    "skipped": ("GetConfiguration",),
}


def test_a_charger_of_which_nothing_is_known_has_nothing_to_tell() -> None:
    assert learned_lines(None) == learned_lines(Learned()) == ()


@pytest.mark.parametrize(
    ("aspect", "words"),
    [
        (Aspect.FALLBACK, "keeps its fallback as TxDefaultProfile"),
        (Aspect.GRANTS, "takes grants as TxDefaultProfile, else TxProfile"),
        (Aspect.UNIT, "takes limits in watts"),
        (Aspect.STEP, "takes limits in steps of 1 A"),
        (Aspect.STACK_LEVEL, "takes stack level 0 only"),
        (Aspect.LEASES, "a profile holds until the next one"),
        (Aspect.KIND, "takes schedules of kind Relative"),
        (Aspect.CLOCK, "has a clock that no schedule can rest on"),
        (Aspect.PAUSE, "cannot be paused, only kept at 8 A"),
        (Aspect.DELAY, "applies a limit 35 s late"),
        (Aspect.DRAW, "draws 3.1% more than told, so it is told less"),
        (Aspect.PROOF, "keeps its limits"),
        (Aspect.WAKE_UP, "vehicles had to be woken after a pause: 3"),
        (Aspect.PHASES, "divides watts by phases: 3 on connector 1, 1 on connector 2"),
        (Aspect.SKIPPED, "left out of its set-up: GetConfiguration"),
    ],
)
def test_each_of_its_ways_is_a_sentence_also_where_no_evidence_was_kept(aspect: Aspect, words: str) -> None:
    (line,) = learned_lines(without(Learned(**ALL), set(Aspect) - {aspect}))
    assert (line.aspect, line.belief, line.seen, line.at) == (aspect.value, words, "", None)


@pytest.mark.parametrize("aspect", list(Aspect))
def test_what_is_as_assumed_of_any_is_told_once_it_was_seen(aspect: Aspect) -> None:
    (line,) = learned_lines(Learned(evidence={aspect: Evidence(NOON, "was seen", by="CP9")}))
    assert line.belief
    assert (line.seen, line.at, line.by) == ("was seen", NOON, "CP9")


def test_every_field_that_is_learned_belongs_to_one_of_the_ways() -> None:
    named = [name for names in FIELDS.values() for name in names]
    assert sorted(named) == sorted(ALL)
    assert set(named) == {name for name in Learned.__dataclass_fields__ if name not in ("model", "evidence")}
