"""X: transactions and meters."""

# ruff: noqa: D102 -- the hooks are described where they are declared, in `Behaviour`; what each quirk does, at its class

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulators.quirks.behaviour import Behaviour, Line, Payload, Reply

if TYPE_CHECKING:
    from simulators.station import Outlet, Station

Sample = dict[str, Any]
_ENERGY = "Energy.Active.Import.Register"


class Resampled(Behaviour):
    """Writes the samples of MeterValues in its own way."""

    def samples(self, samples: list[Sample]) -> list[Sample]:
        """What goes out in place of the samples of one moment."""
        return samples

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action != "MeterValues":
            return payload
        groups = [{**group, "sampledValue": self.samples(group["sampledValue"])} for group in payload["meterValue"]]
        return {**payload, "meterValue": groups}


class LosesFirstStartAnswer(Behaviour):
    """The answer to its first StartTransaction never arrives."""

    def __init__(self) -> None:
        self.lost = 0

    def told(self, action: str, payload: Payload, line: Line) -> Payload | None:
        if action == "StartTransaction" and not self.lost:
            self.lost += 1
            return None
        return payload


class StopsUnknownTransactions(Behaviour):
    """Stops transactions 0, -1 and one that never was, and reports meters for them."""

    def __init__(self) -> None:
        self._done = False

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action == "MeterValues" and not self._done:
            self._done = True
            for number in (0, -1, 987_654_321):
                stop = {"transactionId": number, "meterStop": 10, "timestamp": "2026-06-01T04:00:00Z"}
                line.say("StopTransaction", stop)
                line.say("MeterValues", {**payload, "transactionId": number})
        return payload


class OthersTransaction(Behaviour):
    """Its transaction was begun with another central system: this one never hears of the start."""

    number = 4711

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action != "StartTransaction":
            return payload
        line.settle(unique_id, {"transactionId": self.number, "idTagInfo": {"status": "Accepted"}})
        return None


class StaleReports(Behaviour):
    """After each statement of its status come statements and samples from two hours ago."""

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action == "MeterValues":
            then = line.controller.station.own_time - timedelta(hours=2)
            stamp = then.isoformat(timespec="seconds").replace("+00:00", "Z")
            number = payload["connectorId"]
            line.say(
                "StatusNotification",
                {"connectorId": number, "errorCode": "NoError", "status": "Faulted", "timestamp": stamp},
            )
            samples = [{"value": "31.0", "measurand": "Current.Import", "unit": "A"}]
            line.say(
                "MeterValues", {"connectorId": number, "meterValue": [{"timestamp": stamp, "sampledValue": samples}]}
            )
        return payload


class NeverStops(Behaviour):
    """Its StopTransaction never reaches the central system."""

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action != "StopTransaction":
            return payload
        line.settle(unique_id, {})
        return None


class AvailableThoughPlugged(Behaviour):
    """Reports Available while a vehicle is plugged in and no transaction runs, and never Preparing or Finishing."""

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action == "StatusNotification" and payload["status"] in ("Preparing", "Finishing"):
            return {**payload, "status": "Available"}
        return payload


class FallsAsleep(Behaviour):
    """A vehicle that was offered nothing sleeps on when it is offered something, until it is offered nothing again."""

    def __init__(self) -> None:
        self._pauses: dict[int, int] = {}
        self._paused: dict[int, bool] = {}

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        number = outlet.number
        if outlet.transaction is None:
            self._pauses.pop(number, None)
            return limit_a
        if limit_a == 0.0 and not self._paused.get(number) and (outlet.current_a > 0.0 or self._pauses.get(number)):
            self._pauses[number] = self._pauses.get(number, 0) + 1
        self._paused[number] = limit_a == 0.0
        return 0.0 if self._pauses.get(number, 0) % 2 else limit_a


class EnergyOnly(Resampled):
    """Reports its energy register and nothing else."""

    def samples(self, samples: list[Sample]) -> list[Sample]:
        return [sample for sample in samples if sample["measurand"] == _ENERGY]


class PhasesOnly(Resampled):
    """Reports currents by phase, named L1-N, and power by phase, without a total."""

    def samples(self, samples: list[Sample]) -> list[Sample]:
        made: list[Sample] = []
        for sample in samples:
            if sample["measurand"] == "Current.Import":
                phase = f"{sample['phase']}-N"
                made.append({**sample, "phase": phase})
                watts = f"{float(sample['value']) * 230:.0f}"
                made.append({**sample, "phase": phase, "measurand": "Power.Active.Import", "value": watts, "unit": "W"})
            elif sample["measurand"] == _ENERGY:
                made.append(sample)
        return made


class ScaledRegister(Resampled):
    """Its energy register is in kWh and says Wh."""

    def samples(self, samples: list[Sample]) -> list[Sample]:
        return [
            {**sample, "value": f"{float(sample['value']) / 1000:.3f}"} if sample["measurand"] == _ENERGY else sample
            for sample in samples
        ]


class SessionRegister(Behaviour):
    """Its register in MeterValues counts from the begin of the transaction."""

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        outlet = line.controller.station.outlets.get(payload.get("connectorId", 0))
        running = None if outlet is None else outlet.transaction
        if action == "StartTransaction":
            return {**payload, "meterStart": payload["meterStart"] + 5_000_000}
        if action == "StopTransaction":
            return {**payload, "meterStop": payload["meterStop"] + 5_000_000}
        if action != "MeterValues" or running is None:
            return payload
        groups = [
            {**group, "sampledValue": [self._since(sample, running.meter_start_wh) for sample in group["sampledValue"]]}
            for group in payload["meterValue"]
        ]
        return {**payload, "meterValue": groups}

    @staticmethod
    def _since(sample: Sample, start_wh: int) -> Sample:
        if sample["measurand"] != _ENERGY:
            return sample
        return {**sample, "value": f"{float(sample['value']) - start_wh:.0f}"}


class RegisterDropsToZero(Resampled):
    """Every third reading of its register is 0."""

    def __init__(self) -> None:
        self._n = 0

    def samples(self, samples: list[Sample]) -> list[Sample]:
        self._n += 1
        if self._n % 3:
            return samples
        return [{**sample, "value": "0"} if sample["measurand"] == _ENERGY else sample for sample in samples]


class MixedContexts(Resampled):
    """Each sample repeats the register of the transaction's begin beside the present one."""

    def samples(self, samples: list[Sample]) -> list[Sample]:
        begin = [
            {**sample, "context": "Transaction.Begin", "value": "0"}
            for sample in samples
            if sample["measurand"] in (_ENERGY, "Power.Active.Import")
        ]
        return [*begin, *samples, *begin]


class OddClock(Behaviour):
    """Writes timestamps in a way of its own."""

    def __init__(self, change: Callable[[datetime], str]) -> None:
        self._change = change

    def _stamped(self, payload: Payload) -> Payload:
        changed: Payload = {}
        for key, value in payload.items():
            if key == "timestamp":
                changed[key] = self._change(datetime.fromisoformat(value))
            elif key == "meterValue":
                changed[key] = [self._stamped(group) for group in value]
            else:
                changed[key] = value
        return changed

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        return self._stamped(payload)


class IllegalWords(Resampled):
    """Uses words, types and fields that the standard does not know."""

    def samples(self, samples: list[Sample]) -> list[Sample]:
        odd: list[Sample] = [
            {"value": 50, "measurand": "Frequency", "unit": "Hz", "phase": None},
            {"value": "1", "measurand": "Request.Energy", "format": None},
            {"value": {"nested": "nonsense"}, "measurand": "Voltage"},
        ]
        return [*odd, *({**sample, "location": None, "vendor": {"x": 1}} for sample in samples)]

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        payload = super().tell(action, payload, unique_id, line) or {}
        if action == "StatusNotification":
            return {**payload, "errorCode": "Error", "info": None, "vendorId": 7}
        if action == "StartTransaction":
            return {**payload, "reservationId": None, "meterStart": str(payload["meterStart"]), "extra": []}
        if action == "StopTransaction":
            return {**payload, "reason": "BecauseISaySo", "transactionData": None}
        return payload


class SloppyValues(Resampled):
    """Writes values with blanks round them, empty ones, and NaN."""

    def samples(self, samples: list[Sample]) -> list[Sample]:
        sloppy = [
            {"value": "", "measurand": "SoC"},
            {"value": "NaN", "measurand": "SoC"},
            {"value": " ", "measurand": "SoC"},
        ]
        return [*({**sample, "value": f"  {sample['value']} "} for sample in samples), *sloppy]


class StopsBeforeAnswering(Behaviour):
    """Sends StopTransaction before its answer to RemoteStopTransaction."""

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action != "RemoteStopTransaction" or payload.get("again"):
            return payload
        outlet = line.controller.outlet_for(payload["transactionId"])
        if outlet is not None:
            line.controller.stop(outlet.number, "Remote")
        return payload

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        return {"status": "Accepted"} if action == "RemoteStopTransaction" else payload


class SloppyFrames(Behaviour):
    """Its frames have message types as text, numbers for ids, and elements too few or too many."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def frames(self, frame: str, line: Line) -> Iterable[str | list[str]]:
        message = json.loads(frame)
        if message[0] == 3 and not message[2]:
            return (json.dumps([3, message[1]]),)
        if message[0] == 4:
            return (json.dumps(["4", *message[1:3]]),)
        if message[0] == 3:
            return (json.dumps(["3", *message[1:], "more"]),)
        if message[2] == "Heartbeat":
            return (json.dumps(["2", *message[1:3]]), "[2]", "{", '[9,"x"]')
        return (json.dumps(["2", *message[1:], {}]),)
