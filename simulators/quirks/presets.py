"""Vendors' models as combinations of quirks, from the issues that report them; firmware changes, so no judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulators.quirks.behaviour import Quirk
from simulators.quirks.catalogue import CATALOGUE

_BY_NAME = {quirk.name: quirk for quirk in CATALOGUE}


@dataclass(frozen=True, slots=True)
class Preset:
    """A model as the field knows it.

    Attributes:
        what: which model, as far as the issues say.
    """

    name: str
    what: str
    quirks: tuple[Quirk, ...]
    source: str


def _preset(name: str, what: str, source: str, *quirks: str) -> Preset:
    return Preset(name, what, tuple(_BY_NAME[quirk] for quirk in quirks), source)


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        _preset(
            "go-e",
            "go-e Charger Gemini",
            "go-e#155, go-e#187, go-e#190",
            "resumes-unlimited",
            "stack-level-0",
            "phase-switch",
            "integer-amps",
        ),
        _preset(
            "abb",
            "ABB Terra AC, firmware 1.8",
            "evcc#15493, evcc#15533, lbbrhzn#1275",
            "rejects-zero-and-six",
            "reboots-on-many-measurands",
            "gone-after-get-configuration",
        ),
        _preset("easee", "Easee Home", "evcc#29861", "slow-to-resume", "composite-rejected"),
        _preset(
            "wallbox", "Wallbox Pulsar", "lbbrhzn#1503, evcc ocpp-wallbox.yaml", "relative-only", "lost-by-early-call"
        ),
        _preset("growatt", "Growatt THOR", "evcc#10399", "clock-local-time", "rate-unit-missing"),
        _preset(
            "grizzl-e",
            "United Chargers Grizzl-E",
            "lbbrhzn#442, lbbrhzn#176",
            "no-subprotocol",
            "torn-answer",
            "rejects-max-profile",
        ),
        _preset("en-plus", "EN+ Caro", "evcc ocpp-enplus.yaml", "broken-by-change-availability", "integer-amps"),
        _preset("timxon", "Timxon", "lbbrhzn#1718", "clear-spikes", "composite-empty", "integer-amps"),
        _preset("foxess", "FoxESS", "lbbrhzn docs FoxESS", "stays-away", "available-though-plugged"),
        _preset("necharge", "NeCharge", "evcc ocpp-necharge.yaml", "rejects-fractions", "energy-only"),
    )
}
"""By name; a scenario file may use these like quirks."""
