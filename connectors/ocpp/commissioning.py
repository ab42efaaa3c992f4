"""The boot order: fallback first, read back, then what the charger can do, then how it reports.

A fallback counts as confirmed when the charger answered SetChargingProfile with Accepted and its composite schedule
does not contradict it. A composite schedule is evidence only where it says more than the fallback allows while no
transaction runs; many chargers refuse to give one, or give nonsense, and that says nothing.
"""

from __future__ import annotations

import asyncio
import logging

from connectors.ocpp import translate
from connectors.ocpp.answers import (
    Refused,
    Taken,
    Unclear,
    Verdict,
    highest_limit,
    judge,
    rate_unit,
    read_configuration,
)
from connectors.ocpp.calls import Answered, CallOutcome, CallTable, LinkLost
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.profiles import ProfileStyle, fallback_profile, probe_profile, rate
from twin_core.models.charger import Aspect, ConnectorSpec, Learned, ProfilePurpose, RateUnit
from twin_core.models.events import ChargerCommissioned, FallbackConfirmed, FallbackRefused
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

logger = logging.getLogger(__name__)

PROBE_LEASE_S = 60

CONTRADICTIONS_BELIEVED = 3
"""Boot orders that end in a contradiction before it is believed; some chargers only apply a profile late."""

LOWEST_LADDER_A = (6.0, 8.0, 10.0, 16.0)
"""Fallbacks offered to a charger that takes no pause."""

CONFIGURATION_KEYS = (
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "MeterValueSampleInterval",
    "MeterValuesSampledData",
    "NumberOfConnectors",
    "SupportedFeatureProfiles",
    "WebSocketPingInterval",
)

SAMPLED_DATA_LADDER = (
    "Energy.Active.Import.Register,Power.Active.Import,Current.Import,SoC",
    "Energy.Active.Import.Register,Power.Active.Import,Current.Import",
    "Energy.Active.Import.Register,Power.Active.Import",
)
"""Few measurands, best first: some chargers reboot for ever when they are asked for all they know."""

_UNITS = {RateUnit.AMPERE: "amperes", RateUnit.WATT: "watts"}

_NEEDED = frozenset({"energy.active.import.register", "current.import"})


class Commissioning:
    """One run of the boot order over one link."""

    def __init__(self, charger: Charger, calls: CallTable) -> None:
        self._charger = charger
        self._memory = charger.memory
        self._calls = calls
        self._contradicted = False

    async def run(self) -> bool:
        """Write and read back fallbacks, probe, configure, and tell the twin.

        Returns:
            Whether it is settled; False where a fallback got no clear answer, so that asking again may help.
        """
        connectors = self._charger.spec.connectors
        verdicts = {c.id.number: await self._secure(c) for c in connectors}
        unit_before = self._memory.unit
        found = await self._probe_configuration()
        if self._memory.unit is not unit_before:
            verdicts = {c.id.number: await self._secure(c) for c in connectors}
        for connector in connectors:
            self._tell(connector, verdicts[connector.id.number])
        await self._probe_leases()
        self._settle_purposes()
        await self._configure(found)
        abilities = self._memory.abilities()
        now = self._charger.around.clock.now()
        self._charger.emit(ChargerCommissioned(at=now, charger_id=self._charger.spec.id, abilities=abilities))
        fields = {"charger": self._charger.spec.id, "unit": abilities.unit.value, "leases": abilities.leases}
        logger.info("commissioned", extra=fields)
        contradicted = any(isinstance(verdict, Refused) for verdict in verdicts.values()) and self._contradicted
        if contradicted:
            self._memory.contradictions += 1
        again = contradicted and self._memory.contradictions < CONTRADICTIONS_BELIEVED
        return not again and not any(isinstance(verdict, Unclear) for verdict in verdicts.values())

    def _tell(self, connector: ConnectorSpec, verdict: Verdict) -> None:
        now = self._charger.around.clock.now()
        match verdict:
            case Taken():
                fallback_a = self._charger.fallback_a(connector)
                self._charger.emit(FallbackConfirmed(at=now, connector_id=connector.id, fallback_a=fallback_a))
            case Refused(detail) | Unclear(detail):
                self._charger.emit(FallbackRefused(at=now, connector_id=connector.id, detail=detail))
                fields = {"connector": str(connector.id), "detail": detail}
                logger.warning("fallback refused", extra=fields)

    async def _secure(self, connector: ConnectorSpec) -> Verdict:
        """Write the fallback of a connector and read it back; clear what outranks it, once, and try again."""
        await self._make_room(connector)
        verdict = await self._write(connector)
        if not isinstance(verdict, Taken):
            return verdict
        contradiction = await self._read_back(connector)
        if contradiction is None:
            return verdict
        # From here until the second reading nothing is certain: the twin counts the connector at its maximum first.
        self._tell(connector, Refused(contradiction))
        await self._clear_foreign(connector)
        verdict = await self._write(connector)
        if isinstance(verdict, Taken) and (contradiction := await self._read_back(connector)) is not None:
            self._contradicted = True
            return Refused(contradiction)
        return verdict

    async def _make_room(self, connector: ConnectorSpec) -> None:
        """Have the twin count a fallback that is higher than the installed one, before the charger is told."""
        if self._charger.fallback_a(connector) > connector.fallback_a:
            self._tell(connector, Taken())
            await asyncio.sleep(self._charger.settings.pause_s)

    async def _write(self, connector: ConnectorSpec) -> Verdict:
        """Write the fallback; where none is taken, the lowest limit that is."""
        verdict = await self._try_styles(connector)
        if isinstance(verdict, Refused) and self._memory.borrowed(Aspect.PAUSE):
            # Another charger of its model took this limit, and this one does not: it is asked like any other.
            self._memory.forget({Aspect.PAUSE})
            verdict = await self._try_styles(connector)
        if not isinstance(verdict, Refused) or self._charger.fallback_a(connector) > 0.0:
            return verdict
        for lowest_a in LOWEST_LADDER_A:
            if lowest_a > connector.hardware_max_a:
                break
            self._memory.lowest_a = lowest_a
            verdict = await self._try_styles(connector)
            if not isinstance(verdict, Refused):
                if isinstance(verdict, Taken):
                    self._charger.note(Aspect.PAUSE, f"refused every fallback below {lowest_a:g} A")
                    logger.info("cannot be paused", extra={"connector": str(connector.id), "lowest_a": lowest_a})
                    return verdict
                break
        self._memory.lowest_a = 0.0
        return verdict

    async def _try_styles(self, connector: ConnectorSpec) -> Verdict:
        verdict: Verdict = Refused("no way of writing a fallback")
        before = self._memory.learned()
        for style in self._styles():
            verdict = judge(await self._calls.call("SetChargingProfile", self._fallback(connector, style)))
            if isinstance(verdict, Taken):
                self._memory.fallback_purpose = style.purpose
                self._memory.unit = style.unit
                self._memory.relative = style.relative and not self._memory.clock_off
                self._note_style(before, style)
                return verdict
            if isinstance(verdict, Unclear) and not verdict.detail.startswith("CALLERROR"):
                return verdict
        self._memory.fallback_purpose = None
        self._charger.note(Aspect.FALLBACK, "took no way of writing a fallback")
        return verdict

    def _note_style(self, before: Learned, taken: ProfileStyle) -> None:
        """Keep as evidence how a fallback was taken; where that is as before, it only confirms."""
        unit, kind = _UNITS[taken.unit], "Relative" if taken.relative else "Absolute"
        for aspect, seen, news in (
            (Aspect.FALLBACK, f"took its fallback as {taken.purpose}", taken.purpose is not before.fallback_purpose),
            (Aspect.UNIT, f"took its fallback in {unit}", taken.unit is not before.unit),
            (Aspect.KIND, f"took its fallback as a schedule of kind {kind}", taken.relative is not before.relative),
        ):
            if aspect is Aspect.KIND and self._memory.clock_off:
                continue  # it was asked for no other
            self._charger.note(aspect, seen, news=news)

    def _styles(self) -> list[ProfileStyle]:
        """Ways of writing a fallback, what worked last first.

        Two connectors never share a ChargePointMaxProfile, also where another charger of the model was content with it.
        """
        purpose, alone = self._memory.fallback_purpose, len(self._charger.spec.connectors) == 1
        if purpose is None or (purpose is ProfilePurpose.CHARGE_POINT_MAX and not alone):
            purpose = ProfilePurpose.TX_DEFAULT
        known = self._memory.style(purpose)
        ampere, watt = RateUnit.AMPERE, RateUnit.WATT
        others = [
            ProfileStyle(ProfilePurpose.TX_DEFAULT, ampere),
            ProfileStyle(ProfilePurpose.TX_DEFAULT, ampere, relative=True),
            ProfileStyle(ProfilePurpose.TX_DEFAULT, watt),
        ]
        if alone:
            others.append(ProfileStyle(ProfilePurpose.CHARGE_POINT_MAX, ampere))
        same = [s for s in others if (s.purpose, s.unit, s.relative) == (known.purpose, known.unit, known.relative)]
        return [known, *(s for s in others if s not in same)]

    def _fallback(self, connector: ConnectorSpec, style: ProfileStyle) -> Payload:
        now = self._charger.on_its_clock(self._charger.around.clock.now().utc)
        divisor = self._charger.divisor(connector.id.number, lasting=True)
        return fallback_profile(
            connector.id.number, self._charger.fallback_a(connector), style, now=now, n_phases=divisor
        )

    async def _read_back(self, connector: ConnectorSpec) -> str | None:
        """What contradicts the fallback, in words; None when nothing does."""
        if self._memory.fragile("GetCompositeSchedule") or self._memory.without_clock:
            return None  # a schedule that begins with the transaction shows in none while no transaction runs
        unit = self._memory.unit
        ask = {"connectorId": connector.id.number, "duration": PROBE_LEASE_S, "chargingRateUnit": unit.value}
        outcome = await self._step("GetCompositeSchedule", ask)
        if not isinstance(outcome, Answered) or connector.id.number in self._charger.transactions:
            return None  # while a transaction runs, its own profile rightly outranks the fallback
        limit, said = highest_limit(outcome.payload)
        if limit is None:
            return None
        divisor = self._charger.divisor(connector.id.number, lasting=True)
        allowed = rate(self._charger.fallback_a(connector), self._memory.style(ProfilePurpose.TX_DEFAULT), divisor)
        if said is not unit:
            per_ampere = divisor * NOMINAL_VOLTAGE_V
            limit = limit / per_ampere if said is RateUnit.WATT else limit * per_ampere
        tolerance = 0.1 if unit is RateUnit.AMPERE else 1.0
        return None if limit <= allowed + tolerance else f"composite schedule says {limit:g} {unit.value}"

    async def _clear_foreign(self, connector: ConnectorSpec) -> None:
        purpose = self._memory.fallback_purpose or ProfilePurpose.TX_DEFAULT
        target = 0 if purpose is ProfilePurpose.CHARGE_POINT_MAX else connector.id.number
        await self._calls.call("ClearChargingProfile", {"connectorId": target, "chargingProfilePurpose": purpose.value})

    async def _probe_configuration(self) -> dict[str, str]:
        """The charger's settings by lower-case name; empty when it gives none."""
        if self._memory.fragile("GetConfiguration"):
            return {}
        outcome = await self._step("GetConfiguration", {"key": list(CONFIGURATION_KEYS)})
        found = read_configuration(outcome.payload) if isinstance(outcome, Answered) else {}
        memory = self._memory
        level = translate.integer(found.get("chargeprofilemaxstacklevel"))
        # Whoever was found to take level 0 only may state what it likes.
        if level is not None and level >= 0 and memory.max_stack_level > 0:
            self._charger.note(Aspect.STACK_LEVEL, f"states ChargeProfileMaxStackLevel {level}")
            memory.max_stack_level = level
        if (number := translate.integer(found.get("numberofconnectors"))) is not None and 0 < number <= 100:
            memory.connectors = number
        if (interval := translate.integer(found.get("metervaluesampleinterval"))) is not None and interval > 0:
            memory.sample_interval_s = float(interval)
        if profiles := found.get("supportedfeatureprofiles"):
            memory.remote_trigger = "remotetrigger" in profiles.lower()
        memory.unit = rate_unit(found.get("chargingscheduleallowedchargingrateunit", ""), memory.unit)
        return found

    async def _probe_leases(self) -> None:
        """Whether profiles may end by themselves, tried with a limit that changes nothing: the fallback's own."""
        memory, purpose = self._memory, self._memory.fallback_purpose
        known = memory.leases is False or (memory.leases and not memory.borrowed(Aspect.LEASES))
        if purpose is None or known or memory.without_clock or memory.max_stack_level < 1:
            return
        match judge(await self._probe(purpose, PROBE_LEASE_S)):
            case Taken():
                memory.leases = True
                self._charger.note(Aspect.LEASES, "took a profile that ends by itself")
            case Refused():
                if isinstance(judge(await self._probe(purpose, None)), Taken):
                    memory.leases = False
                    self._charger.note(Aspect.LEASES, "refused a profile that ends by itself and took it without end")
                else:
                    memory.forget({Aspect.LEASES})
                    memory.max_stack_level = 0
                    self._charger.note(Aspect.STACK_LEVEL, "refused stack level 1 for a limit that changes nothing")
            case Unclear():
                return

    async def _probe(self, purpose: ProfilePurpose, duration_s: int | None) -> CallOutcome:
        connector = self._charger.spec.connectors[0]
        payload = probe_profile(
            connector.id.number,
            self._charger.fallback_a(connector),
            self._memory.style(purpose),
            now=self._charger.on_its_clock(self._charger.around.clock.now().utc),
            duration_s=duration_s,
            n_phases=self._charger.divisor(connector.id.number, lasting=True),
        )
        return await self._calls.call("SetChargingProfile", payload)

    def _settle_purposes(self) -> None:
        """Which purposes can carry a grant above the fallback without overwriting or being capped by it."""
        memory = self._memory
        if memory.fallback_purpose is ProfilePurpose.CHARGE_POINT_MAX:
            allowed: tuple[ProfilePurpose, ...] = (ProfilePurpose.CHARGE_POINT_MAX,)
        elif memory.max_stack_level < 1:
            allowed = (ProfilePurpose.TX,)
        else:
            allowed = (ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT)
            if memory.fallback_purpose is None and len(self._charger.spec.connectors) == 1:
                allowed = (*allowed, ProfilePurpose.CHARGE_POINT_MAX)
        kept = tuple(purpose for purpose in memory.purposes if purpose in allowed)
        memory.purposes = (*kept, *(purpose for purpose in allowed if purpose not in kept))

    async def _configure(self, found: dict[str, str]) -> None:
        """Ask for what control needs and no more, and only where the charger says something else."""
        if self._memory.fragile("ChangeConfiguration") or not found:
            return
        settings, memory = self._charger.settings, self._memory
        interval = str(settings.sample_interval_s)
        other = found.get("metervaluesampleinterval") not in (None, interval)
        if other and await self._change("MeterValueSampleInterval", interval):
            memory.sample_interval_s = float(settings.sample_interval_s)
        sampled = {part.strip().lower() for part in found.get("metervaluessampleddata", "").split(",")}
        if "metervaluessampleddata" in found and not sampled >= _NEEDED:
            for measurands in SAMPLED_DATA_LADDER:
                if await self._change("MeterValuesSampledData", measurands):
                    break
        if found.get("websocketpinginterval") not in (None, str(settings.websocket_ping_s)):
            await self._change("WebSocketPingInterval", str(settings.websocket_ping_s))

    async def _change(self, key: str, value: str) -> bool:
        outcome = await self._step("ChangeConfiguration", {"key": key, "value": value})
        return isinstance(outcome, Answered) and outcome.payload.get("status") in ("Accepted", "RebootRequired")

    async def _step(self, action: str, payload: Payload) -> CallOutcome:
        """Ask, and remember whether asking cost the link."""
        self._memory.lost_during[action] += 1
        outcome = await self._calls.call(action, payload)
        if not isinstance(outcome, LinkLost):
            self._memory.lost_during[action] = 0
        return outcome


async def await_boot(charger: Charger, calls: CallTable) -> None:
    """Return when BootNotification was answered, or when a charger that reconnected without has been asked for it.

    Nothing is sent before either: some chargers never recover from a CALL that comes before their boot is answered.
    """
    for attempt in range(2):
        try:
            async with asyncio.timeout(charger.settings.boot_grace_s):
                await charger.boot_answered.wait()
                return
        except TimeoutError:
            if attempt == 0 and charger.memory.remote_trigger:
                await calls.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    for number in charger.connectors if charger.memory.remote_trigger else ():
        await asyncio.sleep(charger.settings.trigger_spacing_s)
        await calls.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": number})
