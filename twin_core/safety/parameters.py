"""The times and margins the envelope counts with."""

from __future__ import annotations

from dataclasses import dataclass

from twin_core.models.quantities import NOMINAL_VOLTAGE_V


@dataclass(frozen=True, slots=True)
class EnvelopeParameters:
    """What is assumed of chargers, vehicles and clocks; the envelope holds as far as these hold.

    Attributes:
        lease_s: how long a grant stays in force in a charger unless it is renewed.
        ramp_s: how long a vehicle may go on drawing what the last limit but one allowed.
        skew_s: how far a charger's clock may be from ours when it ends a lease.
        guard_s: added to every release, so that no room is handed out in the same instant in which it comes free.
        renew_fraction: part of the lease after which a grant is renewed.
        deadband_a: smaller changes of a limit are not worth a message.
        margin_a: current per phase kept free at every node.
        voltage_max_factor: highest voltage over nominal; amperes count against power limits at that voltage.
    """

    lease_s: float = 120.0
    ramp_s: float = 5.0
    skew_s: float = 2.0
    guard_s: float = 1.0
    renew_fraction: float = 1 / 3
    deadband_a: float = 0.5
    margin_a: float = 0.0
    voltage_max_factor: float = 1.1

    @property
    def release_s(self) -> float:
        """From the moment a limit is known to be gone until nothing is drawn because of it."""
        return self.ramp_s + self.guard_s

    @property
    def window_s(self) -> float:
        """From the moment a grant is made until nothing can be drawn because of it, heard of or not (T_safe)."""
        return self.lease_s + self.skew_s + self.release_s

    @property
    def renew_s(self) -> float:
        """Age at which a grant is renewed."""
        return self.lease_s * self.renew_fraction

    @property
    def kw_per_a(self) -> float:
        """Power of one ampere on one phase at the highest voltage."""
        return NOMINAL_VOLTAGE_V * self.voltage_max_factor / 1000.0
