"""Q: how charge points take charging profiles, as entries of the catalogue."""

from __future__ import annotations

from functools import partial

from simulators.quirks import profiles as q
from simulators.quirks.behaviour import Payload, Quirk
from twin_core.models.charger import RateUnit

_NONSENSE: Payload = {
    "status": "Accepted",
    "connectorId": 1,
    "chargingSchedule": {"chargingRateUnit": "A", "duration": 8638204752557, "chargingSchedulePeriod": []},
}

_WATT = (("unit", RateUnit.WATT),)

PROFILE_QUIRKS = (
    Quirk(
        "Q1",
        "rejects-max-profile",
        "ChargePointMaxProfile is rejected, TxDefaultProfile is taken",
        "ways of writing are tried in turn and the one that worked is remembered; nothing counts as success unread",
        "lbbrhzn#221, lbbrhzn#1245, lbbrhzn#1703",
        behaviour=q.RejectsMaxProfile,
    ),
    Quirk(
        "Q1",
        "max-profile-only",
        "every purpose but ChargePointMaxProfile is rejected",
        "as above; with one connector the fallback and the grants are written under that purpose",
        "lbbrhzn#221",
        behaviour=q.TakesOnlyMaxProfile,
    ),
    Quirk(
        "Q2",
        "breaks-on-early-tx-profile",
        "a TxProfile without transaction or transactionId is rejected, or costs the link",
        "a TxProfile is sent only with the id of a running transaction",
        "libocpp#299, libocpp#616, evcc#9766, monta#36",
        behaviour=q.BreaksOnEarlyTxProfile,
    ),
    Quirk(
        "Q2",
        "no-tx-profile",
        "every TxProfile is rejected",
        "grants go out as TxDefaultProfile, from the second success on at once",
        "libocpp#299",
        (("rejects_tx_profile", True),),
    ),
    Quirk(
        "Q3",
        "tx-default-for-the-next",
        "a TxDefaultProfile is applied to the next transaction and not to the running one",
        "while a transaction runs, grants are TxProfiles",
        "ConnectorIO#160",
        behaviour=q.TxDefaultForTheNext,
    ),
    Quirk(
        "Q4",
        "foreign-profile",
        "another back-end's profile at a higher stack level outranks ours",
        "the composite schedule contradicts the fallback: it counts at its maximum, that purpose is cleared, all again",
        "lbbrhzn#2148, evcc#31597",
        behaviour=q.ForeignProfile,
    ),
    *(
        Quirk(
            "Q4",
            f"foreign-{name}",
            f"another back-end's {purpose} caps the vehicle below our grant",
            "an unused grant makes us ask for the composite schedule: the lower limit is reported, and "
            "cleared where `clear_foreign_limits` allows it",
            "lbbrhzn#2148, evcc#31597",
            behaviour=partial(q.ForeignClip, purpose),
        )
        for name, purpose in (("max-profile", "ChargePointMaxProfile"), ("tx-profile", "TxProfile"))
    ),
    Quirk(
        "Q5",
        "stack-level-0",
        "stack level 0 only",
        "grants are TxProfiles of level 0, which never overwrite the fallback; the level is remembered",
        "evcc#4957, lbbrhzn#1737, go-e#187",
        behaviour=partial(q.OneStackLevel, "0"),
    ),
    Quirk(
        "Q5",
        "stack-level-0-claims-999",
        "stack level 0 only, though 999 is stated",
        "as above, found by trying a profile that changes nothing",
        "lbbrhzn#877",
        behaviour=partial(q.OneStackLevel, "999"),
    ),
    Quirk(
        "Q6",
        "few-profiles",
        "room for three profile ids",
        "one fixed id for each purpose and connector",
        "evcc cp_setup.go",
        behaviour=q.FewProfiles,
    ),
    *(
        Quirk(
            "Q7",
            f"rate-unit-{name}",
            f"the allowed rate unit is {said}",
            "read leniently; amperes where it says nothing usable",
            "evcc cp_setup.go, lbbrhzn#1545",
            fields,
            partial(q.RateUnitWords, words),
        )
        for name, said, words, fields in (
            ("both", "stated as both", "Current,Power", ()),
            ("letter", 'stated as "W"', "W", _WATT),
            ("nonsense", "nonsense", "Watts or so", ()),
            ("missing", "missing", None, ()),
        )
    ),
    Quirk(
        "Q8",
        "watts-only",
        "limits are taken in watts alone",
        "converted at 207 V, for the phases that its Current.Offered proves, else those seen in use, one until then",
        "evcc#9883, libocpp#426, lbbrhzn#2084",
        _WATT,
    ),
    Quirk(
        "Q9",
        "phase-switch",
        "numberPhases switches a relay",
        "numberPhases is never sent",
        "go-e#190, EVerest#1060, EVerest#1038",
        behaviour=q.PhaseSwitch,
    ),
    Quirk(
        "Q10",
        "zero-ends-transaction",
        "a limit below 6 A ends the transaction",
        "learned the first time: the session is started again, and it is kept at 6 A or more from then on",
        "evcc#33020, evcc#29272, hass-evse-load-balancer#89",
        behaviour=q.ZeroEndsTransaction,
    ),
    Quirk(
        "Q10",
        "six-amp-floor",
        "a limit below 6 A is taken as 6 A",
        "seen by its draw: it counts at its maximum while it draws what nobody granted",
        "hass-evse-load-balancer#89",
        behaviour=q.SixAmpFloor,
    ),
    Quirk(
        "Q11",
        "rejects-zero",
        "a limit of 0 A is rejected",
        "the lowest limit it takes becomes its fallback, and stands in for a pause",
        "evcc#15493",
        behaviour=partial(q.RejectsLow, 0.0),
    ),
    Quirk(
        "Q11",
        "rejects-zero-and-six",
        "limits of 0 A and of 6 A are rejected",
        "as above",
        "evcc#15493",
        behaviour=partial(q.RejectsLow, 6.0),
    ),
    Quirk(
        "Q12",
        "resumes-unlimited",
        "after a pause the new limit is ignored until it is sent again",
        "every grant after a pause is sent twice; what is drawn meanwhile is seen and counted",
        "go-e#155",
        behaviour=q.ResumesUnlimited,
    ),
    Quirk(
        "Q13",
        "slow-to-resume",
        "SuspendedEVSE lasts two minutes after charging was allowed",
        "no fault: the grant stands and the connector stays trusted",
        "evcc#29861",
        behaviour=q.SlowToResume,
    ),
    Quirk(
        "Q14",
        "integer-amps",
        "fractions of an ampere are cut off",
        "limits are rounded down, to 0.1 A or the charger's step",
        "evcc ocpp-necharge.yaml",
        (("step_a", 1.0),),
    ),
    Quirk(
        "Q14",
        "rejects-fractions",
        "a limit with a fraction is rejected",
        "the whole ampere below is tried, and remembered when it worked twice",
        "evcc ocpp-necharge.yaml",
        behaviour=q.WholeAmperesOnly,
    ),
    Quirk(
        "Q14",
        "coarse-steps",
        "6, 8, 10, 13, 16, 20, 25 and 32 A only, rounded down",
        "what is not drawn is no disobedience",
        "evcc ocpp-necharge.yaml",
        behaviour=q.CoarseSteps,
    ),
    Quirk(
        "Q15",
        "relative-only",
        "schedules of kind Absolute are rejected",
        "Relative schedules, which carry no end: such a grant counts until a newer one is accepted",
        "evcc ocpp-wallbox.yaml",
        behaviour=q.RelativeOnly,
    ),
    Quirk(
        "Q16",
        "ignores-limits",
        "profiles are accepted and change nothing",
        "until its draw was seen to come down to a limit, room for all it can draw is kept beside the others",
        "lbbrhzn#877, go-e#249, steve#1192",
        (("disobeys_from_s", 0.0),),
    ),
    Quirk(
        "Q16",
        "ignores-limits-after-10-min",
        "after ten minutes profiles change nothing any more",
        "nobody can foresee it: seen by its draw, counted at its maximum and the others down within 15 s, and after "
        "90 s of that as above, until it is proven anew",
        "lbbrhzn#877",
        (("disobeys_from_s", 600.0),),
    ),
    Quirk(
        "Q17",
        "flash-wears",
        "each profile is written to flash",
        "TxProfiles are renewed at a third of their lease; other purposes are written at commissioning alone",
        "libocpp#543, flashg1#1",
        behaviour=q.ShortMemory,
    ),
    Quirk(
        "Q18",
        "clear-spikes",
        "ClearChargingProfile lets go of the limit for some seconds",
        "profiles are replaced in place and not cleared first",
        "lbbrhzn#1718, lbbrhzn#2152",
        behaviour=q.ClearSpikes,
    ),
    Quirk(
        "Q19",
        "slow-to-apply",
        "an accepted profile acts thirty seconds later",
        "learned while it is proven, when others may not use yet what it is to let go; from then on its acceptance "
        "counts that much later",
        "libocpp#811",
        behaviour=q.SlowToApply,
    ),
    Quirk(
        "Q20",
        "max-profile-for-each",
        "ChargePointMaxProfile is applied to each connector, not shared",
        "never used for more than one connector",
        "MicroOcppSimulator#21",
        behaviour=q.MaxForEach,
    ),
    Quirk(
        "Q21",
        "no-lease",
        "a profile is kept for ever, whatever end it names",
        "its composite schedule shows that the limit goes on: such grants count until a newer one is accepted",
        "libocpp#781, lbbrhzn#492",
        (("ignores_duration", True),),
    ),
    Quirk(
        "Q22",
        "overshoots",
        "three parts in a hundred more are drawn than the limit allows",
        "learned before it counts as proven, and told that much less from then on; within 5 % it is no disobedience",
        "lbbrhzn#2148",
        behaviour=q.Overshoots,
    ),
    *(
        Quirk(
            "Q23",
            f"composite-{name}",
            f"GetCompositeSchedule answers {said}",
            "says nothing, neither for nor against the fallback",
            "steve#44",
            behaviour=partial(q.OddComposite, answer),
        )
        for name, said, answer in (
            ("rejected", "Rejected", {"status": "Rejected"}),
            ("empty", "Accepted and no schedule", {"status": "Accepted"}),
            ("nonsense", "a duration of 274 thousand years without periods", _NONSENSE),
        )
    ),
    Quirk(
        "Q24",
        "takes-without-answer",
        "a profile is applied and not answered",
        "unknown, not rejected: old and new limit both count until a lease ends or a newer one is accepted",
        "lbbrhzn#2142",
        behaviour=q.TakesWithoutAnswer,
    ),
)
