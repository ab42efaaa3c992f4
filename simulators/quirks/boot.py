"""B: how charge points boot, and what upsets them while they are set up."""

# ruff: noqa: D102 -- the hooks are described where they are declared, in `Behaviour`; what each quirk does, at its class

from __future__ import annotations

from simulators.quirks.behaviour import Behaviour, Line, Payload, Quirk, Reply


class LostByEarlyCall(Behaviour):
    """A request before its boot is answered leaves it dumb for good; it boots three times over."""

    def __init__(self) -> None:
        self.lost = False
        self._accepted = False
        self._again = 2

    def opened(self, line: Line) -> None:
        self._accepted = False

    def told(self, action: str, payload: Payload, line: Line) -> Payload | None:
        if action == "BootNotification":
            self._accepted = payload.get("status") == "Accepted"
            if self._again:
                self._again -= 1
                line.later(2.0, line.controller.boot)
        return payload

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        self.lost = self.lost or not self._accepted
        return None if self.lost else payload


class CountsTriggers(Behaviour):
    """Reconnects without BootNotification, and counts how often it is asked for one."""

    def __init__(self) -> None:
        self.asked = 0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        self.asked += action == "TriggerMessage" and payload["requestedMessage"] == "BootNotification"
        return payload


class FactoryReset(Behaviour):
    """Every reset brings back the factory's settings."""

    factory = (("MeterValueSampleInterval", "60"), ("WebSocketPingInterval", "0"))

    def opened(self, line: Line) -> None:
        for key, value in self.factory:
            line.controller.configuration.set(key, value)


class RebootsOnManyMeasurands(Behaviour):
    """More than two measurands make it reboot."""

    def __init__(self) -> None:
        self.reboots = 0

    def opened(self, line: Line) -> None:
        line.controller.configuration.set("MeterValuesSampledData", "Energy.Active.Import.Register")

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == "ChangeConfiguration" and payload["value"].count(",") > 1:
            self.reboots += 1
            line.cut()
            return None
        return payload


class OddConfiguration(Behaviour):
    """Its settings have other types and spellings than the standard's, and some are missing."""

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        if action != "GetConfiguration":
            return payload
        entries: list[object] = [None, {"readonly": True}, {"key": "Vendor", "value": None}, {"key": 7, "value": "x"}]
        for entry in payload["configurationKey"]:
            value = entry["value"]
            typed = int(value) if value.isdigit() else value == "true" if value in ("true", "false") else value
            entries.append({"key": entry["key"].upper(), "value": typed})
        return {"configurationKey": entries, "unknownKey": None}


class GoneAfterGetConfiguration(Behaviour):
    """GetConfiguration costs the link."""

    def __init__(self) -> None:
        self.gone = 0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action != "GetConfiguration":
            return payload
        self.gone += 1
        line.cut()
        return None


class BlockedByTriggers(Behaviour):
    """A second TriggerMessage within five seconds blocks it for good."""

    def __init__(self) -> None:
        self.blocked = False
        self._last_s = -60.0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == "TriggerMessage":
            now_s = line.controller.station.uptime_s()
            self.blocked = self.blocked or now_s < self._last_s + 5.0
            self._last_s = now_s
        return None if self.blocked else payload


class BrokenByChangeAvailability(Behaviour):
    """ChangeAvailability leaves it out of order."""

    def __init__(self) -> None:
        self.broken = False

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        self.broken = self.broken or action == "ChangeAvailability"
        return None if self.broken else payload


class SpeaksBeforeBoot(Behaviour):
    """Reports status and meters before its boot is answered."""

    def opened(self, line: Line) -> None:
        line.say("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
        sample = {"timestamp": "2026-06-01T04:00:00Z", "sampledValue": [{"value": "0"}]}
        line.say("MeterValues", {"connectorId": 1, "meterValue": [sample]})
        line.say("Heartbeat", {})


class OddConnectorZero(Behaviour):
    """Connector 0 is reported as out of order, again and again, and the number of connectors is wrong."""

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action == "StatusNotification" and payload["connectorId"] != 0:
            zero = {"connectorId": 0, "errorCode": "OtherError", "status": "Unavailable"}
            line.say(action, zero)
            line.say(action, {**zero, "connectorId": 9})
        return payload

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        if action != "GetConfiguration":
            return payload
        entries = [entry for entry in payload["configurationKey"] if entry["key"] != "NumberOfConnectors"]
        return {**payload, "configurationKey": [*entries, {"key": "NumberOfConnectors", "value": "7"}]}


BOOT_QUIRKS = (
    Quirk(
        "B1",
        "lost-by-early-call",
        "boots several times over, and a request before its boot is answered leaves it dumb for good",
        "nothing is sent before BootNotification was answered",
        "lbbrhzn#1503",
        behaviour=LostByEarlyCall,
    ),
    Quirk(
        "B2",
        "no-boot-after-reconnect",
        "reconnects without BootNotification",
        "asked for it once after 5 s, commissioned without after 5 s more",
        "ConnectorIO#211",
        (("is_mute_on_boot", True),),
        CountsTriggers,
    ),
    Quirk(
        "B3",
        "factory-reset",
        "a reboot brings back the factory's settings",
        "the boot order is run again after every BootNotification",
        "evcc#15671",
        (("forgets_profiles_on_reboot", True),),
        FactoryReset,
    ),
    Quirk(
        "B3",
        "forgets-profiles-on-reboot",
        "no profile survives a reboot",
        "as above; the fallback is written and read back again",
        "evcc#15671",
        (("forgets_profiles_on_reboot", True),),
    ),
    Quirk(
        "B4",
        "reboots-on-many-measurands",
        "asked for many measurands, it accepts and reboots, for ever",
        "few are asked for; a step that cost the link twice is left out",
        "lbbrhzn#1275, evcc#15533",
        behaviour=RebootsOnManyMeasurands,
    ),
    Quirk(
        "B5",
        "odd-configuration",
        "settings come as numbers and truth values, in capitals, with nulls, or not at all",
        "read leniently",
        "lbbrhzn#1499, evcc cp_setup.go",
        behaviour=OddConfiguration,
    ),
    Quirk(
        "B5",
        "gone-after-get-configuration",
        "GetConfiguration costs the link",
        "left out after the second time",
        "evcc#15533",
        behaviour=GoneAfterGetConfiguration,
    ),
    Quirk(
        "B6",
        "blocked-by-triggers",
        "a second TriggerMessage within five seconds blocks it",
        "one at a time, never two within 5 s",
        "evcc#32236",
        (("is_mute_on_boot", True),),
        BlockedByTriggers,
    ),
    Quirk(
        "B7",
        "broken-by-change-availability",
        "ChangeAvailability breaks it",
        "never sent by the gateway itself",
        "evcc ocpp-enplus.yaml",
        behaviour=BrokenByChangeAvailability,
    ),
    Quirk(
        "B8",
        "speaks-before-boot",
        "status and meters come before the boot is answered",
        "answered like any other",
        "EVerest booting.py",
        behaviour=SpeaksBeforeBoot,
    ),
    Quirk(
        "B9",
        "odd-connector-zero",
        "connector 0 is out of order and the number of connectors is wrong",
        "the status of connector 0 overwrites nobody's; what the site file says is installed",
        "lbbrhzn#2020, lbbrhzn#2138, lbbrhzn#1573",
        behaviour=OddConnectorZero,
    ),
)
