"""Depots of any shape, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

from panel.shapes import PanelView, UpstreamView
from panel.view import view
from tests.panel.depot import NOON, Outlet, report
from twin_core.models.charger import ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.quantities import Instant

amps = st.floats(0, 40).map(lambda value: round(value, 1))
outlets = st.builds(
    Outlet,
    status=st.none() | st.sampled_from(ConnectorStatus),
    current_a=amps,
    limit_a=amps,
    bound_by=st.sampled_from(["", "grid L1", "feeder-a kW", "hardware", "minimum 6 A"]),
    verdict=st.sampled_from(Verdict),
    requested_kwh=st.none() | st.floats(1, 60),
    energy_kwh=st.floats(0, 60),
    soc=st.none() | st.floats(0, 1),
    leaves_h=st.none() | st.floats(-1, 12),
    tag=st.none() | st.text(max_size=6),
    online=st.booleans(),
    age_s=st.floats(0, 200),
    error=st.sampled_from(["NoError", "GroundFailure"]),
    distrusted=st.booleans(),
    vendor=st.text(max_size=8),
)


upstreams = st.builds(
    UpstreamView,
    url=st.just("wss://billing.example/ocpp"),
    **{name: st.integers(0, 3) for name in ("up", "away", "waiting", "dropped", "conflicts")},
)


@st.composite
def views(draw: st.DrawFn) -> PanelView:
    """What the panel shows of some depot at some moment, its connectors in any order."""
    made = report(
        tuple(draw(st.lists(outlets, min_size=1, max_size=4))),
        now=Instant(0.0, NOON).later(draw(st.integers(0, 90_000))),
        base_a=(draw(amps), draw(amps), draw(amps)),
        plan=draw(st.sampled_from(["made", None])),
        shedding=draw(st.booleans()),
    )
    shown = view(made, upstream=draw(st.none() | upstreams))
    return shown.model_copy(update={"connectors": tuple(draw(st.permutations(shown.connectors)))})
