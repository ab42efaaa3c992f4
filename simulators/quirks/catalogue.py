"""Every quirk there is, in the order of the field notes."""

from __future__ import annotations

from simulators.quirks.boot import BOOT_QUIRKS
from simulators.quirks.metering_entries import METERING_QUIRKS
from simulators.quirks.profile_entries import PROFILE_QUIRKS
from simulators.quirks.transport import TRANSPORT_QUIRKS

CATALOGUE = (*PROFILE_QUIRKS, *TRANSPORT_QUIRKS, *BOOT_QUIRKS, *METERING_QUIRKS)
