"""Verification: what a measured draw says of a grant, and whom the envelope believes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.fakes import instant
from tests.twin_core.safety.depots import Desk, connector, outlet, sample, site
from twin_core.models.events import ConnectorMetered, GrantAnswered
from twin_core.models.grant import GrantOutcome, Verdict
from twin_core.safety.monitor import Distrusted, ObedienceMonitor, ObedienceThresholds, Trusted, Verification

A = outlet("a")


class Watched(Desk):
    """A desk whose facts the monitor sees too."""

    def __init__(self, **options: float) -> None:
        super().__init__(site(60.0, connector("a", **options), connector("b"), connector("c")))
        self.monitor = ObedienceMonitor(self.envelope)

    def grant(self, at_s: float, limit_a: float) -> int:
        """Seq of a grant accepted at once."""
        decision = self.settle(at_s, {"a": limit_a})
        (grant,) = (grant for grant in decision.grants if grant.connector_id == A)
        accepted = GrantAnswered(at=instant(at_s), connector_id=A, seq=grant.seq, outcome=GrantOutcome.ACCEPTED)
        self.monitor.observe(accepted)
        return grant.seq

    def hear(self, at_s: float, current_a: float, taken_s: float) -> None:
        """A sample comes that its charger says it took at another time."""
        self.monitor.observe(replace(sample("a", at_s, current_a), reported_at=instant(taken_s).utc))
        self.monitor.review(instant(at_s))

    def see(self, at_s: float, current_a: float | None, **reading: float) -> tuple[Verification, ...]:
        self.monitor.observe(sample("a", at_s, current_a, **reading))
        return self.monitor.review(instant(at_s))


@pytest.mark.parametrize(
    ("measured_a", "verdict"),
    [
        (16.0, Verdict.OBEYED),
        (16.9, Verdict.OBEYED),
        (15.1, Verdict.OBEYED),
        (10.0, Verdict.LIMITED_BY_CAR),
        (0.0, Verdict.LIMITED_BY_CAR),
        (17.1, Verdict.NOT_OBEYED),
        (32.0, Verdict.NOT_OBEYED),
    ],
)
def test_the_first_sample_after_the_ramp_decides_once(measured_a: float, verdict: Verdict) -> None:
    desk = Watched()
    seq = desk.grant(0.0, 16.0)
    assert desk.see(5.9, measured_a) == ()
    (verification,) = desk.see(7.0, measured_a)
    assert (verification.seq, verification.verdict, verification.measured_a) == (seq, verdict, measured_a)
    assert desk.see(8.0, measured_a) == ()


def test_a_grant_of_nothing_is_obeyed_by_drawing_nothing() -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    desk.grant(10.0, 0.0)
    assert [v.verdict for v in desk.see(20.0, 0.2)] == [Verdict.OBEYED]


def test_a_superseded_grant_gets_no_verdict() -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    seq = desk.grant(3.0, 20.0)
    assert [v.seq for v in desk.see(10.0, 20.0)] == [seq]


def test_without_a_sample_a_grant_stays_unmeasured() -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    assert desk.monitor.review(instant(59.0)) == ()
    assert [v.verdict for v in desk.monitor.review(instant(60.0))] == [Verdict.UNMEASURED]


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, None])
def test_a_reading_that_is_no_number_judges_nothing(nonsense: float | None) -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    assert desk.see(10.0, nonsense) == ()
    assert desk.envelope.is_trusted(A)


def test_a_draw_within_an_older_limit_that_may_be_in_force_is_no_disobedience() -> None:
    desk = Watched()
    first = desk.decide(0.0, {"a": 30.0})
    desk.answer(first.grants, 1.0, GrantOutcome.TIMED_OUT)
    desk.grant(10.0, 10.0)
    for at_s in (20.0, 30.0, 40.0):
        assert desk.see(at_s, 30.0) == ()
    assert desk.envelope.is_trusted(A)


def test_samples_kept_while_nobody_could_hear_them_accuse_nobody() -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    desk.hear(20.0, 16.0, taken_s=19.8)
    desk.grant(30.0, 0.0)  # and the link breaks
    for n in range(8):
        desk.hear(60.0 + n, 16.0, taken_s=20.0 + n)
    desk.hear(68.0, 0.0, taken_s=67.8)
    assert desk.envelope.is_trusted(A)


@pytest.mark.parametrize("held_up_s", [0.2, 20.0])
def test_a_charger_is_judged_by_late_samples_where_it_sends_no_others(held_up_s: float) -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    desk.hear(20.0, 16.0, taken_s=19.8)
    caught_s = None
    for at_s in range(25, 80, 5):
        desk.hear(float(at_s), 25.0, taken_s=at_s - held_up_s)
        if caught_s is None and not desk.envelope.is_trusted(A):
            caught_s = at_s - 25
    assert caught_s is not None
    thresholds = ObedienceThresholds()
    assert caught_s <= thresholds.persistence_s + (thresholds.late_for_s if held_up_s > thresholds.late_s else 0.0)


def test_disobedience_is_counted_within_15_s_of_its_beginning() -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    desk.see(20.0, 16.0)  # begins to lie right after this sample
    alarms = []
    for tick in range(1, 16):
        at_s = 20.0 + tick
        if tick % 5 == 0:
            desk.see(at_s, 25.0)
        else:
            desk.monitor.review(instant(at_s))
        alarms += [(alarm, at_s) for alarm in desk.monitor.alarms]
    ((alarm, at_s),) = alarms
    assert isinstance(alarm, Distrusted)
    assert at_s <= 35.0
    assert desk.worst_a("a", 35.0) == 32.0


def test_one_wrong_sample_refuted_by_the_next_costs_no_trust() -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    desk.see(20.0, 25.0)
    desk.see(24.0, 16.0)
    desk.monitor.review(instant(40.0))
    assert desk.envelope.is_trusted(A)


def test_a_lag_within_the_ramp_is_no_disobedience() -> None:
    desk = Watched()
    desk.grant(0.0, 30.0)
    desk.see(9.0, 30.0)
    desk.grant(10.0, 6.0)
    for at_s, measured_a in ((11.0, 30.0), (13.0, 30.0), (15.0, 25.0), (17.0, 6.0)):
        desk.see(at_s, measured_a)
    desk.monitor.review(instant(40.0))
    assert desk.envelope.is_trusted(A)


def test_a_connector_that_should_draw_nothing_but_does_is_caught() -> None:
    desk = Watched()
    desk.see(0.0, 10.0)
    desk.see(5.0, 10.0)
    assert not desk.envelope.is_trusted(A)


def test_drawing_the_fallback_without_a_grant_is_no_disobedience() -> None:
    desk = Watched(fallback_a=6.0)
    desk.see(0.0, 6.0)
    desk.see(5.0, 6.9)
    assert desk.envelope.is_trusted(A)


def test_trust_returns_after_several_good_samples_over_half_a_minute_and_not_before() -> None:
    desk = Watched()
    desk.see(0.0, 10.0)
    desk.see(5.0, 10.0)
    for at_s in range(10, 40, 5):
        desk.see(float(at_s), 0.0)
        assert not desk.envelope.is_trusted(A)
    desk.see(40.0, 0.0)
    assert desk.monitor.alarms == (Trusted(A, instant(40.0)),)
    assert desk.envelope.is_trusted(A)


def test_a_relapse_starts_the_half_minute_anew() -> None:
    desk = Watched()
    desk.see(0.0, 10.0)
    desk.see(5.0, 10.0)
    for at_s, measured_a in ((10.0, 0.0), (20.0, 0.0), (30.0, 10.0), (35.0, 0.0), (45.0, 0.0), (55.0, 0.0)):
        desk.see(at_s, measured_a)
    assert not desk.envelope.is_trusted(A)
    desk.see(65.0, 0.0)
    assert desk.envelope.is_trusted(A)


def test_two_good_samples_are_not_enough_however_far_apart() -> None:
    desk = Watched()
    desk.see(0.0, 10.0)
    desk.see(5.0, 10.0)
    desk.see(10.0, 0.0)
    desk.see(90.0, 0.0)
    assert not desk.envelope.is_trusted(A)


def test_the_others_are_squeezed_when_a_connector_is_caught() -> None:
    desk = Watched()
    desk.settle(0.0, {"b": 30.0, "c": 30.0})
    desk.see(10.0, 20.0)
    desk.see(15.0, 20.0)
    decision = desk.settle(16.0, {"b": 30.0, "c": 30.0})
    assert decision.shedding
    assert not desk.decide(16.0 + desk.envelope.parameters.release_s, {"b": 30.0, "c": 30.0}).shedding
    assert sum(desk.worst_a(name, 30.0) for name in "abc") <= 60.0


def test_power_alone_is_judged_on_the_phases_the_vehicle_was_seen_to_use() -> None:
    desk = Watched()
    desk.grant(0.0, 16.0)
    assert [v.verdict for v in desk.see(10.0, None, power_kw=11.04)] == [Verdict.OBEYED]
    one_phase = sample("a", 11.0)
    reading = one_phase.reading.__class__(current_a=(16.0, 0.0, 0.0))
    desk.monitor.observe(ConnectorMetered(at=instant(11.0), connector_id=A, reading=reading))
    desk.grant(50.0, 10.0)
    assert [v.verdict for v in desk.see(60.0, None, power_kw=3.68)] == [Verdict.NOT_OBEYED]


def test_samples_of_unknown_connectors_are_passed_over() -> None:
    desk = Watched()
    desk.monitor.observe(sample("nobody", 0.0, 10.0))
    assert desk.monitor.review(instant(10.0)) == ()
