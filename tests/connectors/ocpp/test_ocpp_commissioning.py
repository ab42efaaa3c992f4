"""The boot order, and what a charger's answers make of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.ocpp.answers import highest_limit, rate_unit, read_configuration
from tests.connectors.ocpp.peer import ACCEPTED, SILENT, charger_spec, depot, grant, peer, until
from twin_core.models import events as e
from twin_core.models.charger import ChargerAbilities, ProfilePurpose, RateUnit
from twin_core.models.ids import ChargerId

REJECTED = {"status": "Rejected"}


def configuration(**values: Any) -> dict[str, Any]:
    return {"configurationKey": [{"key": key, "readonly": False, "value": value} for key, value in values.items()]}


def composite(limit: Any, unit: str = "A") -> dict[str, Any]:
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {"status": "Accepted", "connectorId": 1, "chargingSchedule": schedule}


async def test_nothing_is_asked_of_a_charger_before_its_boot_was_answered() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await asyncio.sleep(4)
        assert cp.asked == []
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert cp.heard[:2] == ["answer", "SetChargingProfile"]


async def test_the_order_is_fallback_read_back_probe_configure() -> None:
    answers = {
        "GetCompositeSchedule": composite(6.0),
        "GetConfiguration": configuration(
            MeterValueSampleInterval="60",
            MeterValuesSampledData="Energy.Active.Import.Register",
            NumberOfConnectors="2",
        ),
    }
    spec = charger_spec("CP1", 2, fallback_a=6.0)
    async with depot(spec) as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert [action for action, _ in cp.asked] == [
            *("SetChargingProfile", "GetCompositeSchedule") * 2,
            "GetConfiguration",
            "SetChargingProfile",
            *("ChangeConfiguration",) * 2,
        ]
        assert [f.fallback_a for f in d.sink.of(e.FallbackConfirmed)] == [6.0, 6.0]
        fallback = cp.profiles()[0]
        assert (fallback["chargingProfilePurpose"], fallback["stackLevel"]) == ("TxDefaultProfile", 0)
        changed = {p["key"]: p["value"] for a, p in cp.asked if a == "ChangeConfiguration"}
        assert changed["MeterValueSampleInterval"] == "5"
        assert d.sink.of(e.ChargerCommissioned)[0].abilities == ChargerAbilities(connectors=2, sample_interval_s=5.0)


async def test_a_charger_that_is_set_up_already_is_asked_for_no_change() -> None:
    values = configuration(
        MeterValueSampleInterval="5",
        MeterValuesSampledData="Voltage, current.import ,Energy.Active.Import.Register",
        WebSocketPingInterval="30",
    )
    async with depot() as d, peer(d.system.port, answers={"GetConfiguration": values}) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert [a for a, _ in cp.asked if a == "ChangeConfiguration"] == []


async def test_measurands_are_asked_for_step_by_step_until_the_charger_takes_them() -> None:
    def change(payload: dict[str, Any]) -> Any:
        return REJECTED if "SoC" in payload["value"] else ACCEPTED

    answers = {"GetConfiguration": configuration(MeterValuesSampledData=""), "ChangeConfiguration": change}
    async with depot() as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        asked = [p["value"] for a, p in cp.asked if a == "ChangeConfiguration"]
        assert len(asked) == 2
        assert asked[1].endswith("Power.Active.Import,Current.Import")


async def test_a_charger_that_comes_back_without_booting_is_asked_once_and_then_served() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await until(lambda: d.sink.of(e.ChargerCommissioned), 30)
        triggers = [p["requestedMessage"] for a, p in cp.asked if a == "TriggerMessage"]
        assert triggers == ["BootNotification", "StatusNotification"]
        assert len(d.sink.of(e.FallbackConfirmed)) == 1


async def test_every_boot_runs_the_boot_order_again() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        for times in (1, 2):
            await cp.boot()
            await until(lambda: len(d.sink.of(e.FallbackConfirmed)) == times)  # noqa: B023
            await until(lambda: len(d.sink.of(e.ChargerCommissioned)) == times)  # noqa: B023


@pytest.mark.parametrize("answer", [REJECTED, {"status": "NotSupported"}, [4, "NotImplemented", "", {}], {}, SILENT])
async def test_a_fallback_that_is_not_taken_is_never_confirmed(answer: Any) -> None:
    async with depot() as d, peer(d.system.port, answers={"SetChargingProfile": answer}) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert d.sink.of(e.FallbackConfirmed) == []
        assert len(d.sink.of(e.FallbackRefused)) == 1
        assert d.sink.of(e.FallbackRefused)[0].detail


async def test_a_fallback_without_clear_answer_is_tried_again_later() -> None:
    async with depot() as d, peer(d.system.port, answers={"SetChargingProfile": SILENT}) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.FallbackRefused))
        cp.answers["SetChargingProfile"] = ACCEPTED
        await until(lambda: d.sink.of(e.FallbackConfirmed), 120)


@pytest.mark.parametrize(
    "said",
    [
        REJECTED,
        {"status": "Accepted"},
        {"status": "Accepted", "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": []}},
        {"status": "Accepted", "chargingSchedule": {"duration": 8638204752557, "chargingSchedulePeriod": None}},
        composite("NaN"),
        composite(-1),
        composite(0.0),
        composite(6.0),
        composite(1242, "W"),
        [4, "NotSupported", "", {}],
    ],
)
async def test_a_composite_schedule_that_does_not_contradict_confirms(said: Any) -> None:
    spec = charger_spec("CP1", fallback_a=6.0)
    async with depot(spec) as d, peer(d.system.port, answers={"GetCompositeSchedule": said}) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert len(d.sink.of(e.FallbackConfirmed)) == 1
        assert "ClearChargingProfile" not in [a for a, _ in cp.asked]


async def test_a_foreign_profile_that_outranks_the_fallback_is_cleared_and_counted_meanwhile() -> None:
    foreign = {"limit": 32.0}

    def clear(_: dict[str, Any]) -> Any:
        foreign["limit"] = 6.0
        return ACCEPTED

    answers = {"GetCompositeSchedule": lambda _: composite(foreign["limit"]), "ClearChargingProfile": clear}
    spec = charger_spec("CP1", fallback_a=6.0)
    async with depot(spec) as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        told = [type(x) for x in d.sink.events if isinstance(x, e.FallbackRefused | e.FallbackConfirmed)]
        assert told == [e.FallbackRefused, e.FallbackConfirmed]
        order = [a for a, _ in cp.asked][:5]
        expected = ["SetChargingProfile", "GetCompositeSchedule", "ClearChargingProfile"]
        assert order == [*expected, "SetChargingProfile", "GetCompositeSchedule"]


async def test_a_contradiction_that_stays_is_a_refused_fallback() -> None:
    answers = {"GetCompositeSchedule": composite(16.0)}
    async with depot(charger_spec("CP1", fallback_a=6.0)) as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert d.sink.of(e.FallbackConfirmed) == []
        assert "16 A" in d.sink.of(e.FallbackRefused)[-1].detail


async def test_while_a_transaction_runs_its_own_profile_contradicts_nothing() -> None:
    async with depot() as d, peer(d.system.port, answers={"GetCompositeSchedule": composite(16.0)}) as cp:
        await cp.start()
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert len(d.sink.of(e.FallbackConfirmed)) == 1


async def test_a_charger_that_takes_watts_only_gets_its_fallback_in_watts() -> None:
    def watts(payload: dict[str, Any]) -> Any:
        unit = payload["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"]
        return ACCEPTED if unit == "W" else REJECTED

    spec = charger_spec("CP1", fallback_a=10.0)
    async with depot(spec) as d, peer(d.system.port, answers={"SetChargingProfile": watts}) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert len(d.sink.of(e.FallbackConfirmed)) == 1
        assert d.sink.of(e.ChargerCommissioned)[0].abilities.unit is RateUnit.WATT
        assert cp.profiles()[-1]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 2070.0


async def test_a_charger_that_takes_amperes_but_says_power_gets_its_fallback_again_in_watts() -> None:
    spec = charger_spec("CP1", fallback_a=10.0)
    answers = {"GetConfiguration": configuration(ChargingScheduleAllowedChargingRateUnit="Power")}
    async with depot(spec) as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        schedules = [p["chargingSchedule"] for p in cp.profiles() if p["stackLevel"] == 0]
        told = [(s["chargingRateUnit"], s["chargingSchedulePeriod"][0]["limit"]) for s in schedules]
        assert told == [("A", 10.0), ("W", 2070.0)]
        assert len(d.sink.of(e.FallbackConfirmed)) == 1


async def test_a_fallback_in_watts_trusts_no_running_vehicle() -> None:
    spec = charger_spec("CP1", fallback_a=10.0)
    answers = {"GetConfiguration": configuration(ChargingScheduleAllowedChargingRateUnit="Power")}
    samples = [{"measurand": "Current.Import", "value": "10", "phase": phase} for phase in ("L1", "L2", "L3")]
    group = [{"timestamp": "2026-06-01T12:00:00Z", "sampledValue": samples}]
    async with depot(spec) as d, peer(d.system.port, answers=answers) as cp:
        transaction = await cp.start()
        await cp.call("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": group})
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        limits = [p["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] for p in cp.profiles()]
        assert limits == [10.0, 2070.0, 2070.0]


async def test_a_charger_that_only_knows_its_own_maximum_is_held_by_that() -> None:
    def maximum(payload: dict[str, Any]) -> Any:
        purpose = payload["csChargingProfiles"]["chargingProfilePurpose"]
        return ACCEPTED if purpose == "ChargePointMaxProfile" else REJECTED

    spec = charger_spec("CP1", fallback_a=6.0)
    async with depot(spec) as d, peer(d.system.port, answers={"SetChargingProfile": maximum}) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert len(d.sink.of(e.FallbackConfirmed)) == 1
        assert d.sink.of(e.ChargerCommissioned)[0].abilities.purposes == (ProfilePurpose.CHARGE_POINT_MAX,)
        d.system.offer(grant(10))
        await until(lambda: d.sink.of(e.GrantAnswered))
        action, sent = cp.asked[-1]
        assert (action, sent["connectorId"]) == ("SetChargingProfile", 0)
        assert sent["csChargingProfiles"]["stackLevel"] == 1


async def test_a_charger_with_one_stack_level_keeps_its_fallback_there() -> None:
    answers = {"GetConfiguration": configuration(ChargeProfileMaxStackLevel=0)}
    async with depot() as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        abilities = d.sink.of(e.ChargerCommissioned)[0].abilities
        assert abilities.max_stack_level == 0
        assert abilities.purposes == (ProfilePurpose.TX,)


async def test_a_question_that_costs_the_link_twice_is_not_asked_a_third_time() -> None:
    async with depot() as d:
        for _ in range(2):
            async with peer(d.system.port, answers={"GetConfiguration": SILENT}) as cp:
                await cp.boot()
                await until(lambda: "GetConfiguration" in [a for a, _ in cp.asked])
                cp.link.transport.abort()
            await until(lambda: d.system.connected == frozenset())
        async with peer(d.system.port) as cp:
            await cp.boot()
            await until(lambda: d.sink.of(e.ChargerCommissioned))
            assert "GetConfiguration" not in [a for a, _ in cp.asked]
            assert d.sink.of(e.FallbackConfirmed)


async def test_heartbeat_intervals_are_spread_so_that_a_depot_does_not_stay_in_step() -> None:
    specs = [charger_spec(f"CP{n}") for n in range(20)]
    async with depot(*specs) as d:
        intervals = set()
        for spec in specs:
            async with peer(d.system.port, spec.id) as cp:
                intervals.add((await cp.boot())["interval"])
        assert len(intervals) > 5
        assert all(54 <= interval <= 66 for interval in intervals)


def test_settings_are_read_in_any_type_and_case() -> None:
    entries = [
        {"key": "NumberOfConnectors", "value": 2},
        {"key": "chargeprofileMAXstacklevel ", "value": "999"},
        {"key": "Flag", "value": True},
        {"key": "Absent"},
        {"key": "Null", "value": None},
        {"key": 7, "value": "x"},
        "text",
    ]
    found = read_configuration({"configurationKey": entries})
    assert found == {"numberofconnectors": "2", "chargeprofilemaxstacklevel": "999", "flag": "True"}
    assert read_configuration({"configurationKey": None}) == {}


@pytest.mark.parametrize(
    ("allowed", "unit"),
    [
        ("Current", RateUnit.AMPERE),
        ("Power", RateUnit.WATT),
        ("W", RateUnit.WATT),
        ("Current,Power", RateUnit.AMPERE),
        ("", RateUnit.AMPERE),
        ("Volts", RateUnit.AMPERE),
    ],
)
def test_the_unit_is_watts_only_where_the_charger_says_nothing_else(allowed: str, unit: RateUnit) -> None:
    assert rate_unit(allowed, RateUnit.AMPERE) is unit


def test_a_composite_schedule_counts_by_its_highest_period() -> None:
    said = composite(6.0)
    said["chargingSchedule"]["chargingSchedulePeriod"].append({"startPeriod": 30, "limit": 16.0})
    assert highest_limit(said) == (16.0, RateUnit.AMPERE)


async def test_what_a_charger_says_of_itself_is_told() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        payload = {"chargePointVendor": "V\r\nX", "chargePointModel": "M", "firmwareVersion": "1.2"}
        await cp.call("BootNotification", {**payload, "chargePointSerialNumber": "S"})
        identity = d.sink.of(e.ChargerBooted)[0].identity
        assert (identity.vendor, identity.model, identity.firmware, identity.serial) == ("VX", "M", "1.2", "S")
        assert d.system.connected == {ChargerId("CP1")}
