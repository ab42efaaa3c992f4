"""The trial of a charger that was never seen to keep a limit."""

from __future__ import annotations

from tests.fakes import instant
from tests.twin_core.safety.depots import Desk, connector, outlet, sample, site
from twin_core.models.charger import Learned
from twin_core.models.events import ChargerLearned, Event, GrantAnswered, TransactionStarted
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ChargerId, IdTag, TransactionId
from twin_core.safety.doubt import PROBE_A
from twin_core.safety.probation import AGAIN_AFTER_S, DRAWS_WITHIN_S, FOLLOWS_WITHIN_S, LOWER_A, Probation

A = outlet("a")


class Trying(Desk):
    """An unproven charger with a transaction, and its trial."""

    def __init__(self) -> None:
        super().__init__(site(60.0, connector("a")))
        self.probation = Probation(self.envelope)
        self.tell(ChargerLearned(at=instant(), charger_id=ChargerId("a"), learned=Learned()))
        self.tell(
            TransactionStarted(
                at=instant(),
                connector_id=A,
                transaction_id=TransactionId(7),
                id_tag=IdTag("TAG"),
                meter_start_kwh=0.0,
                started_at=instant().utc,
            )
        )

    def tell(self, event: Event) -> None:
        self.envelope.observe(event)
        self.probation.observe(event)

    def offer(self, at_s: float) -> None:
        for grant in self.decide(at_s, {"a": self.ceiling_a(at_s) or 32.0}).grants:
            accepted = GrantOutcome.ACCEPTED
            self.tell(GrantAnswered(at=instant(at_s), connector_id=A, seq=grant.seq, outcome=accepted))

    def ceiling_a(self, at_s: float) -> float | None:
        return self.probation.ceilings(instant(at_s)).get(A)


def test_its_vehicle_is_offered_a_little_and_told_to_come_down_once_it_draws_that() -> None:
    desk = Trying()
    assert desk.ceiling_a(0.0) == PROBE_A
    desk.offer(0.0)
    desk.tell(sample("a", 10.0, 5.0))
    assert desk.ceiling_a(10.0) == PROBE_A
    desk.tell(sample("a", 15.0, 11.0))
    assert desk.ceiling_a(15.0) == LOWER_A


def test_once_proven_it_has_no_ceiling() -> None:
    desk = Trying()
    desk.tell(ChargerLearned(at=instant(), charger_id=ChargerId("a"), learned=Learned(proven=True)))
    assert desk.ceiling_a(0.0) is None


def test_a_vehicle_that_takes_nothing_of_so_little_may_have_more_and_is_told_to_come_down_then() -> None:
    desk = Trying()
    desk.offer(0.0)
    assert desk.ceiling_a(DRAWS_WITHIN_S - 1.0) == PROBE_A
    assert desk.ceiling_a(DRAWS_WITHIN_S) is None
    desk.tell(sample("a", 90.0, 20.0))
    assert desk.ceiling_a(90.0) == LOWER_A


def test_waiting_for_room_uses_up_no_patience() -> None:
    assert Trying().ceiling_a(10 * DRAWS_WITHIN_S) == PROBE_A


def test_one_that_is_not_proven_in_time_goes_on_and_is_tried_again_later() -> None:
    desk = Trying()
    desk.offer(0.0)
    desk.tell(sample("a", 10.0, 11.0))
    over_s = 10.0 + FOLLOWS_WITHIN_S
    assert desk.ceiling_a(over_s) is None
    assert desk.ceiling_a(over_s + AGAIN_AFTER_S - 1.0) is None
    desk.ceiling_a(over_s + AGAIN_AFTER_S)
    assert desk.ceiling_a(over_s + AGAIN_AFTER_S) == PROBE_A


def test_a_limit_of_the_trial_says_nothing_of_what_the_vehicle_takes() -> None:
    desk = Trying()
    assert desk.probation.explains(A, PROBE_A)
    assert not desk.probation.explains(A, 16.0)


def test_power_shows_a_draw_too() -> None:
    desk = Trying()
    desk.offer(0.0)
    desk.tell(sample("a", 10.0, power_kw=2.4))
    assert desk.ceiling_a(10.0) == LOWER_A


def test_a_vehicle_that_takes_a_little_less_than_the_probe_comes_down_from_what_it_takes() -> None:
    desk = Trying()
    desk.offer(0.0)
    desk.tell(sample("a", 30.0, 9.0))
    assert desk.ceiling_a(DRAWS_WITHIN_S - 1.0) == PROBE_A
    assert desk.ceiling_a(DRAWS_WITHIN_S) == 7.0
