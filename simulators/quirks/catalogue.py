"""Every quirk there is, in the order of the field notes."""

from __future__ import annotations

from simulators.quirks.boot import BOOT_QUIRKS
from simulators.quirks.metering import METERING_QUIRKS
from simulators.quirks.profiles import PROFILE_QUIRKS
from simulators.quirks.transport import TRANSPORT_QUIRKS

CATALOGUE = (*PROFILE_QUIRKS, *TRANSPORT_QUIRKS, *BOOT_QUIRKS, *METERING_QUIRKS)
