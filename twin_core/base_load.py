"""What flows through a node that no charger draws, learned from a meter and from what the chargers report.

The two never speak of the same moment. A meter's sample is therefore judged only once every charger has reported
again: each charger is then known to have drawn at least the lower of its samples before and after (a vehicle that
stops or starts in between hides nothing). Where those two differ much, the sample says little about the base load; it
is set aside as long as there are better ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twin_core.lateness import Lateness
from twin_core.models.quantities import NO_CURRENT, PhaseCurrents, add_currents

SETTLE_S = 7.0
"""By then every charger that reports every five seconds has reported again."""

TRACE_S = 20.0
"""A charger's sample older than this says nothing about now; the charger then counts as drawing nothing."""

WINDOW_S = 60.0
"""Steady samples that make up the bound."""

PATIENCE_S = 25.0
"""Without a steady sample for so long, the calmest of the others counts too."""

STEADY_A = 2.0
"""Chargers' draws that changed by less in all do not spoil a sample."""

_TRACED = 16
_WAITING_MOST, _JUDGED_MOST = 128, 256


class CurrentTrace:
    """The latest samples of one connector's current by grid phase."""

    def __init__(self) -> None:
        # Lists: there is a trace for every connector, and an empty deque is ten times as large.
        self._samples: list[tuple[float, PhaseCurrents]] = []
        self._lateness = Lateness()

    def add(self, at_s: float, current_a: PhaseCurrents, way_s: float | None = None) -> None:
        """Take in a sample; one that was held up on its way speaks of the moment it was taken at.

        Read as of its arrival, a draw that is over would be taken off the meter, and the base load look smaller than
        it is.

        Args:
            at_s: when it came.
            way_s: how long it was on its way by the charger's own clock, which may be wrong; None where it does not
                say. Only the difference to its quickest sample of late is used, and never to call a sample newer.
        """
        if way_s is not None:
            at_s -= self._lateness.of(way_s)
        if self._samples:
            at_s = max(at_s, self._samples[-1][0])
        self._samples.append((at_s, current_a))
        del self._samples[:-_TRACED]

    def latest(self, now_s: float) -> PhaseCurrents:
        """The newest sample, if it is not too old; otherwise nothing."""
        if self._samples and now_s - self._samples[-1][0] <= TRACE_S:
            return self._samples[-1][1]
        return NO_CURRENT

    def around(self, at_s: float) -> tuple[PhaseCurrents, PhaseCurrents]:
        """The samples before and after a moment; nothing where there is none near enough."""
        before, after = NO_CURRENT, NO_CURRENT
        for sampled_s, current_a in self._samples:
            if sampled_s > at_s:
                after = current_a if sampled_s - at_s <= TRACE_S else NO_CURRENT
                break
            if at_s - sampled_s <= TRACE_S:
                before = current_a
        return before, after


@dataclass(frozen=True, slots=True)
class BaseSample:
    """The most the base load can have been at one moment.

    Attributes:
        moved_a: by how much the chargers' draws changed around it, and so by how much it may be too high.
    """

    at_s: float
    current_a: PhaseCurrents
    moved_a: float


class BaseLoadTracker:
    """The base load through one metered node."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, PhaseCurrents]] = []
        self._samples: list[BaseSample] = []

    def metered(self, at_s: float, current_a: PhaseCurrents, traces: Iterable[CurrentTrace]) -> None:
        """Take in a sample of the meter, and judge those that have waited long enough."""
        self._waiting.append((at_s, current_a))
        del self._waiting[:-_WAITING_MOST]
        ripe = []
        while self._waiting and at_s - self._waiting[0][0] >= SETTLE_S:
            ripe.append(self._waiting.pop(0))
        if ripe:
            known = list(traces)
            self._samples.extend(_judge(sampled_s, sample, known) for sampled_s, sample in ripe)
            del self._samples[:-_JUDGED_MOST]
        while self._samples and at_s - self._samples[0].at_s > WINDOW_S + SETTLE_S:
            del self._samples[0]

    def believed(self, now_s: float) -> list[PhaseCurrents]:
        """Samples to believe now: the steady ones, with the calmest of late where those are old; maybe none."""
        steady = [sample for sample in self._samples if sample.moved_a < STEADY_A]
        if not steady or now_s - steady[-1].at_s > PATIENCE_S:
            late = [sample for sample in self._samples if now_s - sample.at_s <= PATIENCE_S] or self._samples
            steady += [min(late, key=lambda sample: sample.moved_a)] if late else []
        return [sample.current_a for sample in steady]


def _judge(at_s: float, metered_a: PhaseCurrents, traces: list[CurrentTrace]) -> BaseSample:
    least, moved_a = NO_CURRENT, 0.0
    for trace in traces:
        before, after = trace.around(at_s)
        least = add_currents(least, (min(before[0], after[0]), min(before[1], after[1]), min(before[2], after[2])))
        moved_a += max(abs(now - then) for then, now in zip(before, after, strict=True))
    base = (metered_a[0] - least[0], metered_a[1] - least[1], metered_a[2] - least[2])
    return BaseSample(at_s, base, moved_a)
