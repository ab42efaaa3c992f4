"""A virtual charge point without its link, without power, or not accepted: what it keeps, says and leaves unsaid."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from simulators.outbox import Gate, Outbox, Outgoing
from tests.simulators.chargers import car, charger, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

TAG = IdTag("TAG")
ACCEPTED = {"status": "Accepted"}
IN_ORDER = ("StartTransaction", "MeterValues", "StopTransaction")


async def configure(central: FakeCentral, **values: str) -> None:
    for key, value in values.items():
        assert await central.call("CP1", "ChangeConfiguration", {"key": key, "value": value}) == ACCEPTED


# The queue -----------------------------------------------------------------------------------------------------------


async def test_refused_transaction_messages_are_repeated_after_growing_waits_as_configured() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, TransactionMessageAttempts="4", TransactionMessageRetryInterval="20")
        central.raw_answers["StartTransaction"] = ("InternalError", "no disk", {})
        await point.plug(1, car(), TAG)
        await settle(200)
        moments = [heard.at_s for heard in central.heard if heard.action == "StartTransaction"]
        assert [round(later - earlier) for earlier, later in pairwise(moments)] == [20, 40, 60]


async def test_a_transaction_message_that_gets_no_answer_is_told_again() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, MeterValueSampleInterval="0")
        silent = [None]
        central.answers["StartTransaction"] = lambda _c, _p: silent.pop() if silent else {"transactionId": 9, **ok()}
        await point.plug(1, car(), TAG)
        await settle(30)
        assert len(central.of("StartTransaction")) == 2
        assert point.links == 1
        point.unplug(1)
        await settle()
        assert central.of("StopTransaction")[0]["transactionId"] == 9


def ok() -> dict[str, Any]:
    return {"idTagInfo": ACCEPTED}


async def test_a_transaction_message_that_waits_keeps_nothing_else_waiting() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, TransactionMessageRetryInterval="600")
        central.raw_answers["StartTransaction"] = ("InternalError", "no disk", {})
        await point.plug(1, car(), TAG)
        await settle(100)
        await central.call("CP1", "TriggerMessage", {"requestedMessage": "Heartbeat"})
        await settle()
        assert len(central.of("Heartbeat")) == 1
        assert central.of("MeterValues") == []


@pytest.mark.parametrize("taken", [True, False])
async def test_what_follows_a_refused_start_waits_behind_it_until_it_is_taken_or_given_up(*, taken: bool) -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)) as point:
        central.raw_answers["StartTransaction"] = ("InternalError", "no disk", {})
        await point.plug(1, car(), TAG)
        await settle(5)
        point.unplug(1)
        await point.plug(2, car(), IdTag("SECOND"))
        await settle(20)
        if taken:
            central.raw_answers.clear()
        await settle(40)
        told = [(h.action, h.payload.get("idTag")) for h in central.heard if h.action in IN_ORDER]
        first = ("StartTransaction", TAG)
        assert told[:5] == [first, first, first, ("StopTransaction", TAG), ("StartTransaction", "SECOND")]


async def test_meter_values_of_an_outage_come_between_their_start_and_stop() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await central.stop()
        await settle(5)
        await point.plug(1, car(), TAG)
        await settle(60)
        point.unplug(1)
        await central.listen()
        await settle(120)
        told = [h.action for h in central.heard if h.action in ("StartTransaction", "MeterValues", "StopTransaction")]
        assert told == ["StartTransaction"] + ["MeterValues"] * (len(told) - 2) + ["StopTransaction"]
        assert len(told) > 6
        assert [h.action for h in central.heard if h.action in ("StatusNotification", "StartTransaction")][-1] == (
            "StartTransaction"
        ), "what waited goes last"
        moments = [p["meterValue"][0]["timestamp"] for p in central.of("MeterValues")]
        assert moments == sorted(moments)


async def test_of_too_many_samples_the_oldest_go_and_are_counted() -> None:
    outbox = Outbox()
    for number in range(2_100):
        outbox.put(Outgoing("MeterValues", lambda number=number: {"n": number}, durable=True, sample=True))
    outbox.put(Outgoing("StopTransaction", dict, durable=True))
    assert outbox.waiting_transactions == 2_001
    assert outbox.counts.dropped_samples == 100


async def test_of_too_many_values_for_a_stop_every_second_goes_so_that_the_rest_tell_of_all_of_it() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, StopTxnSampledData="SoC", MeterValueSampleInterval="1", MeterValuesSampledData="")
        await point.plug(1, car(), TAG)
        await settle(450)
        point.unplug(1)
        await settle()
        (stop,) = central.of("StopTransaction")
        begin, *between, end = [value["sampledValue"][0]["context"] for value in stop["transactionData"]]
        assert (begin, set(between), end) == ("Transaction.Begin", {"Sample.Periodic"}, "Transaction.End")
        assert len(between) + point.controller.reports.transaction_data.thinned == pytest.approx(450, abs=10)
        assert 100 < len(between) < 200
        moments = [value["timestamp"] for value in stop["transactionData"]]
        assert moments == sorted(moments)


async def test_a_security_event_waits_for_the_link_and_a_status_does_not() -> None:
    outbox = Outbox()
    outbox.put(Outgoing("StatusNotification", dict))
    outbox.put(Outgoing("SecurityEventNotification", dict, kept=True))
    outbox.set_gate(Gate.OPEN)
    assert outbox.counts.dropped_offline == 1


async def test_values_from_begin_to_end_are_in_the_stop_where_configured() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, StopTxnSampledData="Energy.Active.Import.Register", MeterValueSampleInterval="25")
        await point.plug(1, car(), TAG)
        await settle(60)
        point.unplug(1)
        await settle()
        (stop,) = central.of("StopTransaction")
        values = [value["sampledValue"][0] for value in stop["transactionData"]]
        contexts = ["Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End"]
        assert [value["context"] for value in values] == contexts
        assert int(values[-1]["value"]) == stop["meterStop"]


async def test_clock_aligned_values_hold_what_is_configured_for_them() -> None:
    async with FakeCentral() as central, switched_on():
        await configure(central, ClockAlignedDataInterval="60", MeterValuesAlignedData="Voltage")
        await settle(130)
        samples = central.of("MeterValues")
        told = [(p["connectorId"], p["meterValue"][0]["timestamp"][14:19]) for p in samples]
        assert told == [(0, "01:00"), (1, "01:00"), (0, "02:00"), (1, "02:00")]
        assert {v["measurand"] for v in samples[-1]["meterValue"][0]["sampledValue"]} == {"Voltage"}


# Resets and power ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("Soft", ["StopTransaction", "BootNotification", "StartTransaction"]),
        ("Hard", ["BootNotification", "StopTransaction", "StartTransaction"]),
    ],
)
async def test_a_soft_reset_ends_transactions_before_and_a_hard_one_tells_of_them_after(
    kind: str, order: list[str]
) -> None:
    async with FakeCentral() as central, switched_on() as point:
        await point.plug(1, car(), TAG)
        await settle(30)
        before = len(central.heard)
        await central.call("CP1", "Reset", {"type": kind})
        await settle(30)
        assert [h.action for h in central.heard[before:] if h.action in order] == order
        assert central.of("StopTransaction")[0]["reason"] == f"{kind}Reset"
        assert central.of("StopTransaction")[0]["transactionId"] == 501


@pytest.mark.parametrize(("goes_on", "reasons"), [("true", []), ("false", ["PowerLoss"])])
async def test_after_a_power_loss_transactions_go_on_or_end_as_configured(goes_on: str, reasons: list[str]) -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, ContinueTransactionAfterPowerLoss=goes_on)
        await point.plug(1, car(), TAG)
        await settle(30)
        point.cut_power()
        await settle(100)
        assert point.grid_currents() == (0.0, 0.0, 0.0)
        assert not point.online
        silent_from = len(central.heard)
        await settle(100)
        assert len(central.heard) == silent_from
        point.return_power()
        await settle(60)
        assert [p["reason"] for p in central.of("StopTransaction")] == reasons
        assert len(central.of("BootNotification")) == 2
        assert (point.grid_currents()[0] > 0) is (goes_on == "true")
        if reasons:
            assert central.of("StopTransaction")[0]["timestamp"] < "2026-06-01T12:00:35"


async def test_a_vehicle_that_left_in_the_dark_has_ended_its_transaction() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await point.plug(1, car(), TAG)
        await settle(30)
        point.cut_power()
        point.unplug(1)
        await settle(10)
        point.return_power()
        await settle(60)
        assert [p["reason"] for p in central.of("StopTransaction")] == ["PowerLoss"]
        assert central.of("StatusNotification")[-1]["status"] == "Available"


# Registration --------------------------------------------------------------------------------------------------------


def registering(central: FakeCentral, status: str, interval: int = 300) -> None:
    central.answers["BootNotification"] = lambda _c, _p: {
        "status": status,
        "interval": interval,
        "currentTime": "2026-06-01T12:00:00Z",
    }


async def test_while_pending_it_says_only_what_it_is_asked_for() -> None:
    async with FakeCentral() as central:
        registering(central, "Pending")
        async with switched_on(charger(connectors=2), wait=False) as point:
            await settle(5)
            await point.plug(1, car(), TAG)
            await settle(100)
            assert {h.action for h in central.heard} == {"BootNotification"}
            assert (await central.call("CP1", "GetConfiguration", {}))["configurationKey"]
            start = {"idTag": "FAR", "connectorId": 2}
            assert await central.call("CP1", "RemoteStartTransaction", start) == {"status": "Rejected"}
            for message in ("StatusNotification", "MeterValues", "Heartbeat"):
                trigger = {"requestedMessage": message, "connectorId": 1}
                assert await central.call("CP1", "TriggerMessage", trigger) == ACCEPTED
            await settle()
            heard: list[Any] = [h.action for h in central.heard if h.action != "BootNotification"]
            assert heard == ["StatusNotification", "MeterValues", "Heartbeat"]
            registering(central, "Accepted")
            await central.call("CP1", "TriggerMessage", {"requestedMessage": "BootNotification"})
            await settle(5)
            assert point.online
            assert len(central.of("StartTransaction")) == 1


async def test_while_rejected_it_says_and_does_nothing_until_it_asks_again() -> None:
    async with FakeCentral() as central:
        registering(central, "Rejected", 60)
        async with switched_on(wait=False) as point:
            await settle(30)
            answer = await central.call("CP1", "TriggerMessage", {"requestedMessage": "Heartbeat"})
            assert answer[0] == "SecurityError"
            registering(central, "Accepted")
            assert [h.action for h in central.heard] == ["BootNotification"]
            await settle(40)
            assert point.online


async def test_one_that_was_accepted_goes_quiet_when_a_later_answer_says_pending() -> None:
    async with FakeCentral() as central, switched_on() as point:
        registering(central, "Pending")
        await central.call("CP1", "TriggerMessage", {"requestedMessage": "BootNotification"})
        await settle(5)
        assert not point.online
        before = len(central.heard)
        await settle(250)
        assert len(central.heard) == before
