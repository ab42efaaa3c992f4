"""Charging profiles never permit more or longer than was granted."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ocpp.profiles import ProfileStyle, fallback_profile, lease_profile, probe_profile, rate
from connectors.ocpp.schemas import check_call
from tests.fakes import EPOCH, instant
from twin_core.errors import ProtocolError
from twin_core.models.charger import ProfilePurpose, RateUnit
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, TransactionId

STYLES = st.builds(
    ProfileStyle,
    purpose=st.sampled_from(ProfilePurpose),
    unit=st.sampled_from(RateUnit),
    step_a=st.sampled_from([0.1, 0.5, 1.0]),
    stack_level=st.integers(0, 9),
    relative=st.booleans(),
)
LIMITS = st.floats(0, 80) | st.integers(0, 800).map(lambda tenths: tenths / 10) | st.sampled_from([math.nan, 5.9999999])
GRANTS = st.builds(
    Grant,
    connector_id=st.builds(ConnectorId, st.just(ChargerId("CP1")), st.integers(1, 20)),
    seq=st.integers(1, 1000),
    limit_a=LIMITS,
    issued=st.floats(0, 1e6).map(instant),
    lease_s=st.floats(1, 1e5) | st.just(math.inf),
)


def first_limit(payload: dict[str, Any]) -> float:
    return float(payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"])


@given(GRANTS, STYLES, st.integers(1, 3))
def test_a_profile_never_exceeds_its_grant_nor_outlives_its_lease(grant: Grant, style: ProfileStyle, n: int) -> None:
    payload = lease_profile(grant, style, transaction_id=TransactionId(7), n_phases=n)
    check_call("SetChargingProfile", payload)
    limit = first_limit(payload)
    # At the lowest voltage allowed, the watts told are the highest current.
    highest_a = limit if style.unit is RateUnit.AMPERE else limit / (n * 207.0)
    nominal_a = limit if style.unit is RateUnit.AMPERE else limit / (n * 230.0)
    if math.isnan(grant.limit_a):
        assert limit == 0.0
    else:
        assert highest_a <= grant.limit_a + 1e-9
    assert nominal_a == 0.0 or nominal_a >= 6.0
    assert Decimal(repr(limit)) % Decimal("0.1") == 0
    schedule = payload["csChargingProfiles"]["chargingSchedule"]
    if math.isinf(grant.lease_s):
        assert "duration" not in schedule
    elif not style.relative:
        begins = datetime.fromisoformat(schedule["startSchedule"])
        assert begins <= grant.issued.utc - timedelta(seconds=59)
        assert grant.expires_utc is not None
        assert begins + timedelta(seconds=schedule["duration"]) <= grant.expires_utc


@given(GRANTS, STYLES)
def test_only_a_tx_profile_names_a_transaction_and_only_the_maximum_the_whole_charger(grant: Grant, style: Any) -> None:
    payload = lease_profile(grant, style, transaction_id=TransactionId(7))
    assert ("transactionId" in payload["csChargingProfiles"]) == (style.purpose is ProfilePurpose.TX)
    assert (payload["connectorId"] == 0) == (style.purpose is ProfilePurpose.CHARGE_POINT_MAX)


@given(LIMITS, st.sampled_from([0.1, 0.5, 1.0]))
def test_amperes_are_rounded_down_to_the_chargers_step(limit_a: float, step_a: float) -> None:
    told = rate(limit_a, ProfileStyle(step_a=step_a), 3)
    if limit_a >= 6.0:
        assert limit_a - step_a < told + 1e-6
        assert told <= limit_a
        assert abs(told / step_a - round(told / step_a)) < 1e-6
    else:
        assert told == 0.0


@pytest.mark.parametrize(
    ("limit_a", "n_phases", "watts"),
    [(16.0, 3, 9936.0), (16.0, 1, 3312.0), (6.0, 1, 0.0), (6.7, 1, 1386.0), (0.0, 3, 0.0)],
)
def test_watts_are_told_for_the_lowest_voltage(limit_a: float, n_phases: int, watts: float) -> None:
    assert rate(limit_a, ProfileStyle(unit=RateUnit.WATT), n_phases) == watts


def test_profiles_of_one_purpose_and_connector_replace_each_other_in_place() -> None:
    connector = ConnectorId(ChargerId("CP1"), 2)
    style = ProfileStyle()
    one, two = (lease_profile(Grant(connector, seq, 10.0, instant(seq), 60), style) for seq in (1, 2))
    ids = [p["csChargingProfiles"]["chargingProfileId"] for p in (one, two)]
    assert ids[0] == ids[1]


def test_every_kind_of_profile_has_an_id_of_its_own() -> None:
    ids = []
    for number in (1, 2, 3):
        grant = Grant(ConnectorId(ChargerId("CP1"), number), 1, 10.0, instant(), 60)
        for purpose in ProfilePurpose:
            style = ProfileStyle(purpose=purpose)
            ids.append(lease_profile(grant, style)["csChargingProfiles"]["chargingProfileId"])
            ids.append(fallback_profile(number, 6.0, style, now=EPOCH)["csChargingProfiles"]["chargingProfileId"])
    assert len(set(ids)) == len(ids)


def test_a_fallback_never_ends_and_lies_below_every_grant() -> None:
    style = ProfileStyle(purpose=ProfilePurpose.TX_DEFAULT)
    payload = fallback_profile(1, 6.0, style, now=EPOCH)
    check_call("SetChargingProfile", payload)
    profile = payload["csChargingProfiles"]
    assert profile["stackLevel"] == 0
    assert "duration" not in profile["chargingSchedule"]
    assert first_limit(payload) == 6.0


def test_a_probe_takes_a_grants_place_with_the_fallbacks_limit() -> None:
    style = ProfileStyle(purpose=ProfilePurpose.TX_DEFAULT)
    probe = probe_profile(1, 6.0, style, now=EPOCH, duration_s=60)["csChargingProfiles"]
    lease = lease_profile(Grant(ConnectorId(ChargerId("CP1"), 1), 1, 10.0, instant(), 60), style)["csChargingProfiles"]
    assert probe["chargingProfileId"] == lease["chargingProfileId"]
    assert probe["chargingSchedule"]["duration"] == 120
    assert probe["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 6.0


def test_what_breaks_the_schema_is_never_sent() -> None:
    payload = lease_profile(Grant(ConnectorId(ChargerId("CP1"), 1), 1, 10.0, instant(), 60), ProfileStyle())
    period = payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]
    period["limit"] = 10.15
    with pytest.raises(ProtocolError, match="SetChargingProfile"):
        check_call("SetChargingProfile", payload)
