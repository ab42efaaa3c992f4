"""What real charge points do that the standard does not say, as switches that combine.

A quirk is an entry of `QUIRKS`: a name a scenario file may use, and the fields of `Quirks` it sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twin_core.errors import ConfigurationError
from twin_core.models.charger import RateUnit


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one charge point departs from a well-behaved one; the defaults depart in nothing.

    Attributes:
        unit: the only unit it takes limits in.
        step_a: it rounds limits down to multiples of this.
        disobeys_from_s: seconds after its start from which it offers its hardware maximum whatever it is told.
        answer_delay_s: time it takes to answer any request.
        silent_from_s: seconds after its start from which it answers no request, though its link lives on.
        rejects_tx_profile: it rejects every TxProfile.
        ignores_duration: it keeps a profile for ever, whatever duration or end it names.
        clock_skew_s: how far ahead of true time its clock runs; it ignores the time it is told.
        forgets_profiles_on_reboot: no profile survives a reset.
        is_mute_on_boot: reconnects without BootNotification after the first time.
    """

    unit: RateUnit = RateUnit.AMPERE
    step_a: float = 0.1
    disobeys_from_s: float | None = None
    answer_delay_s: float = 0.0
    silent_from_s: float | None = None
    rejects_tx_profile: bool = False
    ignores_duration: bool = False
    clock_skew_s: float = 0.0
    forgets_profiles_on_reboot: bool = False
    is_mute_on_boot: bool = False


QUIRKS: Mapping[str, Mapping[str, Any]] = {
    "watts-only": {"unit": RateUnit.WATT},
    "integer-amps": {"step_a": 1.0},
    "ignores-limits": {"disobeys_from_s": 0.0},
    "ignores-limits-after-10-min": {"disobeys_from_s": 600.0},
    "answers-late": {"answer_delay_s": 8.0},
    "silent": {"silent_from_s": 60.0},
    "no-tx-profile": {"rejects_tx_profile": True},
    "no-lease": {"ignores_duration": True},
    "clock-two-seconds-fast": {"clock_skew_s": 2.0},
    "clock-two-seconds-slow": {"clock_skew_s": -2.0},
    "forgets-profiles-on-reboot": {"forgets_profiles_on_reboot": True},
    "no-boot-after-reconnect": {"is_mute_on_boot": True},
}


def quirks(names: Iterable[str]) -> Quirks:
    """The named quirks together; where two set the same field the later one stands.

    Raises:
        ConfigurationError: a name that `QUIRKS` does not hold.
    """
    combined = Quirks()
    for name in names:
        if name not in QUIRKS:
            raise ConfigurationError(f"unknown quirk {name!r}: choose from {', '.join(sorted(QUIRKS))}")
        combined = replace(combined, **QUIRKS[name])
    return combined
