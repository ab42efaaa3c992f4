"""Envelopes with one rule broken each: what the adversary must be able to tell from the real one."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from twin_core.models.grant import GrantOutcome
from twin_core.models.quantities import MINIMUM_CURRENT_A, current_on
from twin_core.safety import envelope
from twin_core.safety.exposure import Exposure
from twin_core.safety.parameters import EnvelopeParameters
from twin_core.safety.rationing import Ration
from twin_core.safety.rows import SiteRows

Break = Callable[[], AbstractContextManager[object]]


def _no_ramp(self):
    return 0.0


def _no_guard(self):
    return self.ramp_s


def _no_skew(self, grant, since_s):
    return since_s + grant.lease_s + self._parameters.release_s


def _lease_end_is_the_end(self, grant, since_s):
    return since_s + grant.lease_s + self._parameters.skew_s + self._parameters.guard_s


def _no_fallback(self):
    unsure = self.distrusted or not self._confirmed
    self.floor_a = self.spec.hardware_max_a if unsure else 0.0


_sent = Exposure.sent


def _release_at_send(self, seq):
    _sent(self, seq)
    for held in self._held:
        if held.grant.seq < seq:
            self._release(held, held.since_s)


_answered = Exposure.answered


class ReservesAtAcceptance(Exposure):
    """Counts a grant only once the charger has accepted it."""

    def issue(self, limit_a, now):
        grant = super().issue(limit_a, now)
        self.sleeping = [*getattr(self, "sleeping", []), self._held.pop()]
        return grant

    def answered(self, seq, outcome, now_s):
        if outcome is GrantOutcome.ACCEPTED:
            self._held += [held for held in getattr(self, "sleeping", []) if held.grant.seq == seq]
        super().answered(seq, outcome, now_s)


def _time_out_means_not_applied(self, seq, outcome, now_s):
    lost = outcome in (GrantOutcome.TIMED_OUT, GrantOutcome.OFFLINE)
    _answered(self, seq, GrantOutcome.UNSENT if lost else outcome, now_s)


def _error_means_not_applied(self, seq, outcome, now_s):
    _answered(self, seq, GrantOutcome.REJECTED if outcome is GrantOutcome.FAILED else outcome, now_s)


def _round_up(self, current_a):
    limit_a = math.ceil(current_a)
    return float(limit_a) if limit_a >= MINIMUM_CURRENT_A else 0.0


def _six_at_least(self, current_a):
    return max(MINIMUM_CURRENT_A, math.floor(current_a)) if current_a > 0 else 0.0


def _phases_in_wiring_order(self, chargers):
    specs = [connector for charger in chargers for connector in charger.connectors]
    return np.array([(*current_on(range(len(s.phases)), 1.0), len(s.phases)) for s in specs], dtype=float)


def _wiring_taken_as_known(self, chargers):
    specs = [connector for charger in chargers for connector in charger.connectors]
    return np.array([(*current_on(s.phases, 1.0), len(s.phases)) for s in specs], dtype=float)


def _replaces_what_is_underway(self, newer, older):
    return older.grant.seq < newer.grant.seq and self._same_place(newer, older)


def _order_of_answers_ignored(self, newer, older):
    answered = older.answered_step is not None
    return answered and older.grant.seq < newer.grant.seq and self._same_place(newer, older)


def _transaction_hides_nothing(self, newer, older):
    return True


_restore = Exposure.restore


def _restart_forgets(self, grants, fallback_a, now):
    _restore(self, (), fallback_a, now)


def _reboot_releases(self):
    self._held = []


def _transaction_end_releases_all(self, transaction, now_s):
    for held in self._held:
        self._release(held, now_s)


def _confirmed_at_once(self, fallback_a, now_s):
    self._confirmed, self.fallback_a = True, fallback_a
    self._set_floor()


def _never_distrusted(self, reason):
    pass


_commissioned = Exposure.commissioned


def _every_lease_ends(self, abilities):
    _commissioned(self, replace(abilities, leases=True))


def _nothing_is_cut(self):
    pass


def _increases_do_not_wait(self, *, hold):
    pass


def _nothing_is_frozen(self, rows):
    return frozenset()


def _nothing_shared(self, start_a):
    pass


_node_limits = SiteRows._node_limits


def _no_power_limits(self, margin_a):
    limits = _node_limits(self, margin_a)
    limits[:, 3] = math.inf
    return limits


def _only_the_grid(self, margin_a):
    limits = _node_limits(self, margin_a)
    limits[1:] = math.inf
    return limits


def _replaced(owner: object, name: str, substitute: object) -> Break:
    return lambda: patch.object(owner, name, substitute)


MUTANTS: dict[str, Break] = {
    "no ramp": _replaced(EnvelopeParameters, "release_s", property(_no_ramp)),
    "no guard": _replaced(EnvelopeParameters, "release_s", property(_no_guard)),
    "skew ignored": _replaced(Exposure, "_lease_end_s", _no_skew),
    "no ramp after a lease": _replaced(Exposure, "_lease_end_s", _lease_end_is_the_end),
    "fallback not counted": _replaced(Exposure, "_set_floor", _no_fallback),
    "released when the next is sent": _replaced(Exposure, "sent", _release_at_send),
    "reserved at acceptance": _replaced(envelope, "Exposure", ReservesAtAcceptance),
    "time-out means not applied": _replaced(Exposure, "answered", _time_out_means_not_applied),
    "error means not applied": _replaced(Exposure, "answered", _error_means_not_applied),
    "quantised up": _replaced(Exposure, "usable_a", _round_up),
    "6 A at least": _replaced(Exposure, "usable_a", _six_at_least),
    "phase map ignored": _replaced(SiteRows, "_connector_weights", _phases_in_wiring_order),
    "unknown wiring taken as known": _replaced(SiteRows, "_connector_weights", _wiring_taken_as_known),
    "replaces what is underway": _replaced(Exposure, "_replaces", _replaces_what_is_underway),
    "order of answers ignored": _replaced(Exposure, "_replaces", _order_of_answers_ignored),
    "transaction hides nothing": _replaced(Exposure, "_same_place", _transaction_hides_nothing),
    "transaction end releases all": _replaced(Exposure, "transaction_stopped", _transaction_end_releases_all),
    "restart forgets": _replaced(Exposure, "restore", _restart_forgets),
    "reboot releases": _replaced(Exposure, "refresh", _reboot_releases),
    "confirmed at once": _replaced(Exposure, "fallback_confirmed", _confirmed_at_once),
    "never distrusted": _replaced(Exposure, "distrust", _never_distrusted),
    "every lease ends": _replaced(Exposure, "commissioned", _every_lease_ends),
    "nothing is cut": _replaced(Ration, "settle", _nothing_is_cut),
    "increases do not wait": _replaced(Ration, "release", _increases_do_not_wait),
    "nothing is frozen": _replaced(Ration, "_loading", _nothing_is_frozen),
    "supply not shared": _replaced(Ration, "_pour_supplies", _nothing_shared),
    "power limits ignored": _replaced(SiteRows, "_node_limits", _no_power_limits),
    "feeders ignored": _replaced(SiteRows, "_node_limits", _only_the_grid),
}
