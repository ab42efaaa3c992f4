"""Chargers and their connectors: what is installed, what they can do, what they report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from twin_core.models.ids import ChargerId, ConnectorId
from twin_core.models.quantities import ALL_PHASES, Phase, PhaseCurrents, current_on


class ConnectorStatus(StrEnum):
    """Connector status, OCPP 1.6 §7.7."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class RateUnit(StrEnum):
    """Unit a charger takes limits in, OCPP 1.6 §7.14."""

    AMPERE = "A"
    WATT = "W"


class ProfilePurpose(StrEnum):
    """Charging profile purpose, OCPP 1.6 §7.11."""

    CHARGE_POINT_MAX = "ChargePointMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """A connector as installed.

    Attributes:
        hardware_max_a: current per phase that the installation can never exceed, whatever software says.
        fallback_a: current per phase the charger keeps by itself when nobody speaks to it; 0 or at least 6.
        phases: phases of the *grid connection* that the connector's L1, L2, L3 are wired to, in that order.
        rotation_known: False when nobody has checked the wiring: then every current counts on every phase.
        step_a: granularity of the limits the charger takes.
        assumed_a: current counted while the charger has never confirmed its fallback; None means `hardware_max_a`.
            Lower is the operator's own responsibility, as for a charger that is known to be switched off.
    """

    id: ConnectorId
    hardware_max_a: float = 32.0
    fallback_a: float = 0.0
    assumed_a: float | None = None
    phases: tuple[Phase, ...] = ALL_PHASES
    rotation_known: bool = True
    step_a: float = 0.1

    def footprint(self, current_a: float) -> PhaseCurrents:
        """Worst-case current on each grid phase when the connector may draw `current_a` per phase."""
        return current_on(self.phases if self.rotation_known else ALL_PHASES, current_a)


@dataclass(frozen=True, slots=True)
class ChargerSpec:
    """A charger as installed: its connectors and the rating of its own supply.

    Attributes:
        supply_max_a: current per phase of the charger's supply, shared by its connectors.
        adopted: True when the charger was not in the site file and runs on conservative defaults.
    """

    id: ChargerId
    connectors: tuple[ConnectorSpec, ...]
    supply_max_a: float = 32.0
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class ChargerAbilities:
    """What a charger was found to do at boot.

    Attributes:
        purposes: charging profile purposes it accepted, in the order they are preferred.
        max_stack_level: highest stack level it takes.
        unit: unit of limits it takes.
        step_a: granularity of limits it takes.
        leases: True when it honours the duration of a profile, so that a grant ends by itself.
        connectors: number of connectors it reports.
        remote_trigger: True when it answers TriggerMessage.
        sample_interval_s: how often it reports meter values.
    """

    purposes: tuple[ProfilePurpose, ...] = (ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT)
    max_stack_level: int = 1
    unit: RateUnit = RateUnit.AMPERE
    step_a: float = 0.1
    leases: bool = True
    connectors: int = 1
    remote_trigger: bool = True
    sample_interval_s: float = 10.0


class Aspect(StrEnum):
    """One of the ways of a charger that are found out by watching it."""

    FALLBACK = "fallback"
    GRANTS = "grants"
    UNIT = "unit"
    STEP = "step"
    STACK_LEVEL = "stack-level"
    LEASES = "leases"
    KIND = "kind"
    CLOCK = "clock"
    PAUSE = "pause"
    DELAY = "delay"
    DRAW = "draw"
    PROOF = "proof"
    WAKE_UP = "wake-up"
    PHASES = "phases"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why something is believed of a charger.

    Attributes:
        at: when it was seen first.
        seen: what was seen, in words.
        by: the charger of the same model at which it was seen; empty for the charger itself.
        individual: it speaks of this one charger, its wiring, its clock or its vehicles, and not of its model.
    """

    at: datetime
    seen: str
    by: str = ""
    individual: bool = False


@dataclass(frozen=True, slots=True)
class Learned:
    """What a charger was found to do, kept across restarts until it is another model or somebody resets it.

    Attributes:
        model: vendor, model and firmware of which it was learned.
        fallback_purpose: purpose under which it took its fallback; None while it took none.
        leases: it takes profiles with an end; None while nobody tried.
        relative: it takes no Absolute schedules.
        clock_off: its clock is so far off that no schedule should rest on it.
        lowest_a: lowest limit it can be kept at; above 0 for one that cannot be paused.
        delay_s: time it takes until an accepted limit acts.
        gain: current it draws, over the limit in force.
        proven: its draw was seen to come down to a lower limit and to stay there.
        sleepers: how often a vehicle had to be woken after a pause.
        phases: by how many phases it divides watts, by connector number.
        skipped: set-up steps that cost the link too often to be tried again.
        evidence: why it is believed, where something was seen; the rest is assumed.
    """

    model: str = ""
    fallback_purpose: ProfilePurpose | None = None
    purposes: tuple[ProfilePurpose, ...] = (ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT)
    unit: RateUnit = RateUnit.AMPERE
    step_a: float = 0.1
    max_stack_level: int = 1
    leases: bool | None = None
    relative: bool = False
    clock_off: bool = False
    lowest_a: float = 0.0
    delay_s: float = 0.0
    gain: float = 1.0
    proven: bool = False
    sleepers: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    evidence: dict[Aspect, Evidence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConnectorReading:
    """One sample of a connector's meter; None is "not reported", never zero.

    Attributes:
        power_kw: power into the vehicle.
        current_a: current on each grid phase, after phase rotation.
        voltage_v: line to neutral, mean of the phases.
        energy_kwh: lifetime import register.
        soc: state of charge in [0, 1], when the vehicle tells.
        offered_a: current the charger says it offers.
    """

    power_kw: float | None = None
    current_a: PhaseCurrents | None = None
    voltage_v: float | None = None
    energy_kwh: float | None = None
    soc: float | None = None
    offered_a: float | None = None

    @property
    def peak_current_a(self) -> float | None:
        """Highest current on any phase."""
        return None if self.current_a is None else max(self.current_a)


@dataclass(frozen=True, slots=True)
class ChargerIdentity:
    """What a charger says of itself in BootNotification."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    extra: dict[str, str] = field(default_factory=dict)
