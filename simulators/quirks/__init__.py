"""What real charge points do that the standard does not say: one small unit for each quirk, and they combine.

A scenario file names quirks (`QUIRKS`) or whole vendors' models (`PRESETS`). `catalogue` holds every quirk with its id
in the field notes, its source and what the gateway does about it; docs/quirks.md is made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulators.quirks.behaviour import Behaviour, Opening, Quirk
from simulators.quirks.catalogue import CATALOGUE
from simulators.quirks.presets import PRESETS, Preset
from twin_core.errors import ConfigurationError
from twin_core.models.charger import RateUnit

if TYPE_CHECKING:
    from simulators.station import Outlet, Station

QUIRKS: Mapping[str, Quirk | Preset] = {**{quirk.name: quirk for quirk in CATALOGUE}, **PRESETS}
"""What a scenario file may name."""


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
        behaviours: what else it does; they have a memory, so each charge point needs objects of its own.
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
    behaviours: tuple[Behaviour, ...] = ()

    def opening(self, url: str) -> Opening:
        """How a link to a central system is opened.

        Raises:
            OSError: not at all this time.
        """
        opening = Opening(url)
        for behaviour in self.behaviours:
            opening = behaviour.opening(opening)
        return opening

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        """Current an outlet offers, where by its profiles it would offer `limit_a`."""
        for behaviour in self.behaviours:
            limit_a = behaviour.offers(limit_a, outlet, station)
        return limit_a


def quirks(names: Iterable[str]) -> Quirks:
    """The named quirks and presets together, made for one charge point; where two set a field the later one stands.

    Raises:
        ConfigurationError: a name that `QUIRKS` does not hold.
    """
    combined = Quirks()
    for name in names:
        found = QUIRKS.get(name)
        if found is None:
            raise ConfigurationError(f"unknown quirk {name!r}: choose from {', '.join(sorted(QUIRKS))}")
        for quirk in (found,) if isinstance(found, Quirk) else found.quirks:
            behaviours = combined.behaviours
            if quirk.behaviour is not None:
                behaviours = (*behaviours, quirk.behaviour())
            combined = replace(combined, **dict(quirk.fields), behaviours=behaviours)
    return combined
