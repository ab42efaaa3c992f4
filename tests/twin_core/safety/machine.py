"""The adversary's moves as a hypothesis state machine."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.twin_core.safety.gambits import Gambler
from tests.twin_core.safety.world import L1, L2, L3, Setting

CONNECTORS = st.integers(0, 4)
CURRENTS = st.sampled_from([0.0, 6.0, 8.35, 10.0, 16.0, 20.0, 32.0, 32.0, math.nan, math.inf, -5.0])
WISHES = st.lists(CURRENTS, min_size=5, max_size=5)
PAIRS = st.sampled_from([(32.0, 0.0), (32.0, 6.0), (16.0, 6.0), (16.0, 0.0), (6.0, 16.0)])
ALIVE = st.sets(CONNECTORS, min_size=1)
SELDOM = st.sampled_from([False, False, True])
SETTINGS = st.builds(
    Setting,
    grid_a=st.floats(20.0, 120.0).map(lambda a: round(a, 1)),
    grid_kw=st.one_of(st.none(), st.floats(12.0, 60.0).map(lambda kw: round(kw, 1))),
    feeder_a=st.floats(16.0, 64.0).map(lambda a: round(a, 1)),
    fallback_a=st.sampled_from([0.0, 6.0]),
    skews_s=st.lists(st.sampled_from([-2.0, 0.0, 2.0, 2.0]), min_size=5, max_size=5),
    unknown_wiring=st.sampled_from([L1, L2, L3]),
    tied_to_transactions=st.booleans(),
    leaseless=SELDOM,
    unconfirmed=st.booleans(),
)


class EnvelopeMachine(RuleBasedStateMachine):
    """Every rule is a move of the adversary; after each one, and whenever time passes, the real draws are judged."""

    depot: Gambler

    @initialize(setting=SETTINGS)
    def begin(self, setting):
        self.depot = Gambler(setting)

    def _id(self, index):
        return self.depot.ids[index]

    def _wishes(self, currents):
        return dict(zip(self.depot.ids, currents, strict=False))

    @rule(currents=WISHES)
    def decide(self, currents):
        self.depot.decide(self._wishes(currents))

    @rule(currents=WISHES, alive=ALIVE)
    def healthy_round(self, currents, alive):
        self.depot.healthy_round(self._wishes(currents), [self._id(index) for index in sorted(alive)])

    @rule(which=st.integers(0, 9), offset_s=st.sampled_from([-0.5, 0.0, 0.0, 0.5]), currents=WISHES, alive=ALIVE)
    def jump_to_a_boundary(self, which, offset_s, currents, alive):
        self.depot.jump(which, offset_s)
        self.healthy_round(currents, alive)

    @rule(index=CONNECTORS, limit_a=st.sampled_from([16.0, 32.0]), lag_s=st.sampled_from([0.25, 4.75, 5.0, 5.0, 6.0]))
    def hand_over(self, index, limit_a, lag_s):
        self.depot.hand_over(index, limit_a, lag_s)

    @rule(
        index=CONNECTORS,
        limit_a=st.sampled_from([16.0, 32.0]),
        lag_s=st.sampled_from([-0.25, -0.25, 0.25, 4.75, 4.75, 9.0]),
        garbled=st.booleans(),
    )
    def outlast(self, index, limit_a, lag_s, garbled):
        self.depot.outlast(index, limit_a, lag_s, garbled=garbled)

    @rule(index=CONNECTORS, currents=PAIRS, late=st.booleans(), swapped=st.booleans())
    def tangle(self, index, currents, late, swapped):
        self.depot.tangle(index, currents, late=late, swapped=swapped)

    @rule(index=CONNECTORS, currents=PAIRS, answered=st.booleans())
    def swap(self, index, currents, answered):
        self.depot.swap(index, currents, answered=answered)

    @rule(index=CONNECTORS)
    def send(self, index):
        self.depot.send(self._id(index))

    @rule(index=CONNECTORS, which=st.integers(0, 3), again=st.booleans(), garbled=st.booleans())
    def deliver(self, index, which, again, garbled):
        self.depot.deliver(self._id(index), which, again=again, garbled=garbled)

    @rule(index=CONNECTORS, which=st.integers(0, 3))
    def hear(self, index, which):
        self.depot.hear(self._id(index), which)

    @rule(index=CONNECTORS)
    def time_out(self, index):
        self.depot.time_out(self._id(index))

    @rule(index=CONNECTORS)
    def lose(self, index):
        self.depot.lose(self._id(index))

    @rule(index=CONNECTORS)
    def disconnect(self, index):
        self.depot.disconnect(self._id(index))

    @rule(index=CONNECTORS, forgets=st.booleans())
    def reboot(self, index, forgets):
        self.depot.reboot(self._id(index), forgets=forgets)

    @rule(index=CONNECTORS)
    def plug(self, index):
        self.depot.plug(self._id(index))

    @rule()
    def confirm(self):
        self.depot.confirm_and_rush()

    @rule(grid_a=st.integers(20, 120), feeder_a=st.integers(16, 64), base_a=st.integers(0, 20))
    def change_room(self, grid_a, feeder_a, base_a):
        self.depot.change_room(float(grid_a), float(feeder_a), float(base_a))

    @rule(grid_a=st.integers(20, 60), feeder_a=st.integers(16, 40), base_a=st.integers(0, 20), wishes=WISHES)
    def squeeze(self, grid_a, feeder_a, base_a, wishes):
        self.depot.squeeze(float(grid_a), float(feeder_a), float(base_a), wishes)

    @rule()
    def adopt(self):
        self.depot.adopt()

    @rule(index=CONNECTORS)
    def lie(self, index):
        self.depot.lie(self._id(index))

    @rule()
    def restart(self):
        self.depot.restart()

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 4.0, 6.0, 20.0, 59.0, 70.0]))
    def advance(self, seconds):
        self.depot.advance(seconds)

    @invariant()
    def every_limit_is_kept(self):
        if hasattr(self, "depot"):
            self.depot.settle()


def play(examples, steps=40, seed=None, machine=EnvelopeMachine):
    """Play a number of games; an AssertionError is a limit that real draws broke.

    Without a seed the games are the same every time.
    """
    chosen = type("Game", (machine,), {"_hypothesis_internal_use_seed": seed})
    run_state_machine_as_test(
        chosen,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=seed is None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
