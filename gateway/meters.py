"""The site file's meters, as the MQTT link takes them."""

from __future__ import annotations

from connectors.mqtt.meters import MeterBinding
from gateway.site_file import MeterTable, SiteFile
from twin_core.models.ids import NodeId
from twin_core.models.quantities import Phase


def meter_binding(meter: MeterTable) -> MeterBinding:
    """Which meter measures which node.

    Raises:
        ConfigurationError: decoder, options or topic cannot work.
    """
    return MeterBinding(
        node_id=NodeId(meter.node),
        topic=meter.topic,
        decoder=meter.decoder,
        options=meter.options,
        phases=tuple(Phase[name] for name in meter.phases),
        stale_after_s=meter.stale_after_s,
        stuck_after=0,  # the twin judges that, knowing whether the chargers' draw moved
    )


def meter_bindings(site: SiteFile) -> list[MeterBinding]:
    """All of them.

    Raises:
        ConfigurationError: as above.
    """
    return [meter_binding(meter) for meter in site.meters]
