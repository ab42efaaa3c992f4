"""The next charger of a model begins with what the first one showed, and its own evidence wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.known_models import MODELS_KEPT, KnownModels
from connectors.ocpp.memory import ChargerMemory
from tests.connectors.ocpp.peer import ACCEPTED, FAST, Depot, Peer, charger_spec, depot, grant, peer, until
from tests.fakes import EPOCH, EventList, ListedChargers, LoopClock, MemoryLedger
from twin_core.models import events as e
from twin_core.models.charger import Aspect, Evidence, Learned, ProfilePurpose
from twin_core.models.ids import ChargerId

ONE, TWO = ChargerId("CP1"), ChargerId("CP2")
MODEL = "Test Peer"
REJECTED = {"status": "Rejected"}


def not_below(limit_a: float) -> Any:
    """The rule of a charger that takes amperes alone, and none below a limit."""

    def rule(payload: dict[str, Any]) -> dict[str, Any]:
        schedule = payload["csChargingProfiles"]["chargingSchedule"]
        (period,) = schedule["chargingSchedulePeriod"]
        return ACCEPTED if schedule["chargingRateUnit"] == "A" and period["limit"] >= limit_a else REJECTED

    return rule


no_pause = not_below(8.0)


def relative_only(payload: dict[str, Any]) -> dict[str, Any]:
    kind = payload["csChargingProfiles"]["chargingProfileKind"]
    return ACCEPTED if kind == "Relative" else REJECTED


def level_0_only(payload: dict[str, Any]) -> dict[str, Any]:
    return ACCEPTED if payload["csChargingProfiles"]["stackLevel"] == 0 else REJECTED


CLAIMS = {"configurationKey": [{"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "999"}]}


class Refusing:
    """Answers SetChargingProfile by a rule and counts its refusals."""

    def __init__(self, rule: Any) -> None:
        self.rule, self.refusals = rule, 0

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.rule(payload)
        self.refusals += answer is REJECTED
        return answer


@asynccontextmanager
async def set_up(d: Depot, charger: ChargerId, rule: Any = lambda _: ACCEPTED) -> AsyncIterator[tuple[Peer, Refusing]]:
    """A charger of the model, through its boot order."""
    refusing = Refusing(rule)
    done = len(d.sink.of(e.ChargerCommissioned))
    async with peer(d.system.port, charger, answers={"SetChargingProfile": refusing, "GetConfiguration": CLAIMS}) as cp:
        await cp.boot()
        await until(lambda: len(d.sink.of(e.ChargerCommissioned)) > done)
        await asyncio.sleep(0)
        yield cp, refusing


def two() -> Any:
    return depot(charger_spec("CP1"), charger_spec("CP2"))


@pytest.mark.parametrize("rule", [no_pause, relative_only, level_0_only])
async def test_the_second_charger_of_a_model_needs_no_refusals(rule: Any) -> None:
    async with two() as d:
        async with set_up(d, ONE, rule) as (_, first):
            assert first.refusals > 0
        async with set_up(d, TWO, rule) as (_, second):
            assert second.refusals == 0


async def test_what_was_taken_over_is_told_as_such_until_the_charger_shows_it_itself() -> None:
    async with two() as d:
        async with set_up(d, ONE, no_pause):
            await until(lambda: d.sink.of(e.ModelLearned))
        async with set_up(d, TWO, no_pause):
            kept = d.sink.of(e.ChargerLearned)[-1]
            assert (kept.charger_id, kept.learned) == (TWO, d.system.memory(TWO).learned())
            assert kept.learned.evidence[Aspect.PAUSE].by == ONE, "that it takes no less was not tried again"
            assert kept.learned.evidence[Aspect.FALLBACK].by == "", "how its fallback is written was"


async def test_a_charger_that_differs_from_its_model_is_believed() -> None:
    async with two() as d:
        async with set_up(d, ONE, no_pause):
            assert d.system.memory(ONE).lowest_a == 8.0
        async with set_up(d, TWO, not_below(10.0)):
            assert d.system.memory(TWO).lowest_a == 10.0
            assert d.system.memory(ONE).lowest_a == 8.0


async def test_two_connectors_share_no_profile_though_their_model_took_one_for_the_whole_charger() -> None:
    def max_only(payload: dict[str, Any]) -> dict[str, Any]:
        purpose = payload["csChargingProfiles"]["chargingProfilePurpose"]
        return ACCEPTED if purpose == "ChargePointMaxProfile" else REJECTED

    async with depot(charger_spec("CP1"), charger_spec("CP2", 2)) as d:
        async with set_up(d, ONE, max_only):
            assert d.system.memory(ONE).purposes == (ProfilePurpose.CHARGE_POINT_MAX,)
        async with set_up(d, TWO, max_only) as (cp, _):
            assert {profile["chargingProfilePurpose"] for profile in cp.profiles()} == {"TxDefaultProfile"}
            assert d.system.memory(TWO).fallback_purpose is None
            assert ProfilePurpose.CHARGE_POINT_MAX not in d.system.memory(TWO).purposes


def test_what_a_charger_showed_before_it_named_its_model_stays() -> None:
    memory, seen = ChargerMemory(lowest_a=6.0, delay_s=0.0), Evidence(EPOCH, "seen")
    memory.evidence = {Aspect.PAUSE: seen}
    taught = {Aspect.PAUSE: replace(seen, by=ONE), Aspect.DELAY: replace(seen, by=ONE)}
    memory.begin_with(Learned(model="M", lowest_a=16.0, delay_s=35.0, evidence=taught))
    assert (memory.lowest_a, memory.delay_s) == (6.0, 35.0)
    assert memory.borrowed(Aspect.DELAY)
    assert not memory.borrowed(Aspect.PAUSE)


async def test_that_profiles_end_by_themselves_is_tried_at_each_charger() -> None:
    """A wrong belief in it would let a grant count as over that still holds."""

    def endless(payload: dict[str, Any]) -> dict[str, Any]:
        return REJECTED if "duration" in payload["csChargingProfiles"]["chargingSchedule"] else ACCEPTED

    async with two() as d:
        async with set_up(d, ONE):
            assert d.system.memory(ONE).leases is True
        async with set_up(d, TWO, endless):
            assert d.system.memory(TWO).leases is False


async def test_a_belief_that_could_not_be_tried_here_is_given_up() -> None:
    async with two() as d:
        async with set_up(d, ONE):
            assert d.system.memory(ONE).leases is True
        async with set_up(d, TWO, level_0_only):
            assert d.system.memory(TWO).leases is None, "there is no level beside its fallback's to try it on"
            assert Aspect.LEASES not in d.system.memory(TWO).evidence


async def test_the_way_of_grants_is_taken_over_too() -> None:
    def no_tx(payload: dict[str, Any]) -> dict[str, Any]:
        return REJECTED if payload["csChargingProfiles"]["chargingProfilePurpose"] == "TxProfile" else ACCEPTED

    async with two() as d:
        async with set_up(d, ONE, no_tx) as (cp, _):
            await cp.start()
            for seq in (1, 2):
                d.system.offer(grant(10.0 + seq, seq))
                await until(lambda seq=seq: len(d.sink.of(e.GrantAnswered)) == seq)
            assert d.system.memory(ONE).purposes[0] is ProfilePurpose.TX_DEFAULT
        async with set_up(d, TWO, no_tx) as (cp, second):
            await cp.start()
            d.system.offer(grant(12.0, 3, name="CP2"))
            await until(lambda: len(d.sink.of(e.GrantAnswered)) == 3)
            assert second.refusals == 0
            assert d.system.memory(TWO).evidence[Aspect.GRANTS].by == ""


async def test_forgetting_a_charger_starts_it_from_nothing_and_leaves_its_model_known() -> None:
    async with two() as d:
        async with set_up(d, ONE, no_pause) as (_, first):
            before = first.refusals
            d.system.forget(ONE)
            left = d.system.memory(ONE).learned()
            assert left == Learned(model=MODEL), "so that it takes nothing over at its next boot"
            assert d.sink.of(e.ChargerLearned)[-1].learned == left
            await until(lambda: d.system.memory(ONE).lowest_a == 8.0)
            assert first.refusals > before
        async with set_up(d, TWO, no_pause) as (_, second):
            assert second.refusals == 0


async def test_one_of_its_ways_can_be_forgotten_alone() -> None:
    async with two() as d, set_up(d, ONE, relative_only) as (cp, _):
        d.system._memories[ONE].delay_s = 35.0
        cp.answers["SetChargingProfile"] = ACCEPTED
        d.system.forget(ONE, {Aspect.KIND})
        done = len(d.sink.of(e.ChargerCommissioned))
        await until(lambda: len(d.sink.of(e.ChargerCommissioned)) > done)
        assert (d.system.memory(ONE).relative, d.system.memory(ONE).delay_s) == (False, 35.0)


async def test_forgetting_a_model_forgets_it_of_all_its_chargers() -> None:
    async with two() as d:
        async with set_up(d, ONE, no_pause):
            pass
        async with set_up(d, TWO, no_pause) as (_, second):
            assert d.system.forget_model(MODEL) == (ONE, TWO)
            assert d.sink.of(e.ModelLearned)[-1].learned is None
            assert d.system.memory(ONE).lowest_a == 0.0
            await until(lambda: d.system.memory(TWO).lowest_a == 8.0)
            assert second.refusals > 0


async def test_a_stranger_that_was_taken_in_teaches_nobody() -> None:
    async with depot(replace(charger_spec("CP1"), adopted=True), charger_spec("CP2")) as d:
        async with set_up(d, ONE, no_pause):
            assert d.system.memory(ONE).lowest_a == 8.0
        assert d.sink.of(e.ModelLearned) == []
        async with set_up(d, TWO):
            assert d.system.memory(TWO).lowest_a == 0.0


async def test_what_is_known_of_a_model_outlives_the_gateway() -> None:
    async with two() as d, set_up(d, ONE, no_pause):
        kept = d.sink.of(e.ModelLearned)[-1]
    assert kept.learned is not None
    async with AsyncExitStack() as stack:
        directory, sink = ListedChargers({TWO: charger_spec("CP2")}), EventList()
        central = CentralSystem(
            FAST, clock=LoopClock(), sink=sink, ledger=MemoryLedger(), directory=directory, models={MODEL: kept.learned}
        )
        system = await stack.enter_async_context(central)
        d = Depot(system, sink, MemoryLedger(), directory)
        _, second = await stack.enter_async_context(set_up(d, TWO, no_pause))
        assert second.refusals == 0


def shown(charger_model: str = "M", at_s: int = 0, **evidence: Mapping[str, Any]) -> Learned:
    return Learned(
        model=charger_model,
        lowest_a=6.0,
        evidence={Aspect(name): Evidence(EPOCH.replace(second=at_s), "x", **how) for name, how in evidence.items()},
    )


def test_what_speaks_of_one_charger_alone_or_was_taken_over_itself_is_not_taught() -> None:
    models = KnownModels()
    assert models.teach(ONE, shown(pause={"individual": True})) is None
    assert models.teach(ONE, shown(pause={"by": "CP9"})) is None
    assert models.teach(ONE, shown("", pause={})) is None
    assert models.of("M") is None


def test_that_one_charger_keeps_its_limits_is_believed_of_no_other() -> None:
    models, one, two = KnownModels(), ChargerMemory(model="M", proven=True), ChargerMemory(model="M")
    one.evidence = {Aspect.PROOF: Evidence(EPOCH, "x", individual=True), Aspect.PAUSE: Evidence(EPOCH, "x")}
    known = models.teach(ONE, one.learned())
    assert known is not None
    two.begin_with(known)
    assert (two.proven, Aspect.PROOF in two.evidence) == (False, False)
    two.begin_with(replace(known, proven=True))
    assert not two.proven


def test_a_charger_caught_at_drawing_more_has_that_as_evidence_and_forgetting_it_starts_the_trial_anew() -> None:
    memory = ChargerMemory(model="M", proven=True)
    memory.doubt(EPOCH)
    assert (memory.proven, memory.evidence[Aspect.PROOF].individual) == (False, True)
    trial = memory.proof
    memory.forget({Aspect.DELAY})
    assert memory.proof is trial
    memory.forget({Aspect.PROOF})
    assert memory.proof is not trial
    assert memory.learned() == Learned(model="M")


def test_of_two_that_differ_the_newest_evidence_counts() -> None:
    models = KnownModels()
    models.teach(ONE, shown(pause={}, at_s=5))
    assert models.teach(TWO, shown(pause={}, at_s=9)) is None, "the same again is no news"
    old, new = replace(shown(pause={}, at_s=4), lowest_a=8.0), replace(shown(pause={}, at_s=6), lowest_a=10.0)
    assert models.teach(TWO, old) is None
    known = models.teach(TWO, new)
    assert known is not None
    assert (known.lowest_a, known.evidence[Aspect.PAUSE].by) == (10.0, TWO)


def test_a_charger_that_invents_names_fills_no_memory() -> None:
    models = KnownModels()
    for number in range(MODELS_KEPT + 5):
        models.teach(ONE, shown(f"M{number}", pause={}))
    assert models.of(f"M{MODELS_KEPT - 1}") is not None
    assert models.of(f"M{MODELS_KEPT}") is None
