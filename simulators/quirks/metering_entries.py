"""X: transactions and meters, as entries of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from simulators.quirks import metering as m
from simulators.quirks.behaviour import Quirk


def _local_labelled_utc(moment: datetime) -> str:
    return (moment + timedelta(hours=2)).isoformat(timespec="seconds").replace("+00:00", "Z")


def _without_zone(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


_CLOCKS: tuple[tuple[str, str, Callable[[datetime], str]], ...] = (
    ("no-zone", "name no zone", _without_zone),
    ("local-time", "are local time labelled Z", _local_labelled_utc),
    (
        "years-off",
        "are six years off",
        lambda moment: moment.replace(year=moment.year - 6).isoformat().replace("+00:00", "Z"),
    ),
)

METERING_QUIRKS = (
    Quirk(
        "X1",
        "loses-first-start-answer",
        "the answer to StartTransaction is lost, so it is said again",
        "the same statement is the same transaction and gets the same id",
        "MicroOcpp#50, MicroOcpp#237, steve#1294, steve#81, libocpp#688",
        behaviour=m.LosesFirstStartAnswer,
    ),
    Quirk(
        "X2",
        "stops-unknown-transactions",
        "StopTransaction and MeterValues name transaction 0, -1 or an unknown one",
        "answered with a result and counted; nobody's transaction ends",
        "libocpp#495, ConnectorIO#199, ocpp-rpc#82, OCPP.Core#31, hsem#907",
        behaviour=m.StopsUnknownTransactions,
    ),
    Quirk(
        "X3",
        "starts-together",
        "two connectors start in the same second",
        "ids are random in 31 bits, never used twice and kept on disk",
        "lbbrhzn#2123",
    ),
    Quirk(
        "X4",
        "others-transaction",
        "a transaction runs that this gateway never saw start",
        "taken over from its meter values while the connector says that it charges",
        "evcc connector_core.go, lbbrhzn#1749",
        behaviour=m.OthersTransaction,
    ),
    Quirk(
        "X5",
        "stale-reports",
        "statements and samples of long ago come after those of now",
        "told by their timestamps and left out; the newest statement of a status stands",
        "EVerest test_offline, evcc timestampValid",
        behaviour=m.StaleReports,
    ),
    Quirk(
        "X6",
        "never-stops",
        "the connector is Available while its transaction was never stopped",
        "after a minute of that the transaction is closed here",
        "evcc connector_core.go",
        behaviour=m.NeverStops,
    ),
    Quirk(
        "X7",
        "available-though-plugged",
        "Available though a vehicle is plugged in, never Preparing or Finishing",
        "nothing is started or stopped for a status alone",
        "evcc#33020, evcc#21847, libocpp#813, FoxESS docs",
        behaviour=m.AvailableThoughPlugged,
    ),
    Quirk(
        "X8",
        "falls-asleep",
        "a vehicle that was paused takes nothing when it is offered current again",
        "told from a full one: the offer is taken back for a moment and made again",
        "evcc#14348, evcc#14804",
        behaviour=m.FallsAsleep,
    ),
    Quirk(
        "X9",
        "energy-only",
        "only the energy register is reported",
        "power from the register, judged at its own pace",
        "evcc#30655, lbbrhzn#1925",
        behaviour=m.EnergyOnly,
    ),
    Quirk(
        "X9",
        "phases-only",
        "values by phase (L1-N), no total",
        "summed over the phases",
        "evcc connector.go",
        behaviour=m.PhasesOnly,
    ),
    Quirk(
        "X10",
        "kwh-as-wh",
        "the register is in kWh and says Wh",
        "told by the power measured meanwhile, and put right",
        "OpenEVSE#703",
        behaviour=m.ScaledRegister,
    ),
    Quirk(
        "X10",
        "session-register",
        "the register counts from the transaction's begin, meterStart does not",
        "told by a first reading below meterStart, and counted from there",
        "lbbrhzn#2093, lbbrhzn#2115",
        behaviour=m.SessionRegister,
    ),
    Quirk(
        "X10",
        "register-drops-to-zero",
        "the register reads 0 now and then",
        "a register only rises: a lower reading is left out",
        "lbbrhzn#374",
        behaviour=m.RegisterDropsToZero,
    ),
    Quirk(
        "X10",
        "mixed-contexts",
        "a sample mixes readings of the transaction's begin with those of now",
        "what was sampled now goes first",
        "lbbrhzn#1838",
        behaviour=m.MixedContexts,
    ),
    *(
        Quirk(
            "X11",
            f"clock-{name}",
            f"timestamps {said}",
            "read leniently, compared with their arrival, and never used for control",
            "evcc#10399, steve#136, DJBenson#9",
            behaviour=partial(m.OddClock, change),
        )
        for name, said, change in _CLOCKS
    ),
    Quirk(
        "X11",
        "clock-an-hour-slow",
        "its clock is an hour behind and is not set",
        "its schedules would end late, so it gets none that end by themselves",
        "evcc#10399",
        (("clock_skew_s", -3600.0),),
    ),
    Quirk(
        "X11",
        "clock-a-minute-slow",
        "its clock is a minute behind and is not set",
        "its clock or its line lags, and either way a schedule that is written so much earlier does not end late: it "
        "keeps its leases",
        "evcc#10399",
        (("clock_skew_s", -60.0),),
    ),
    Quirk(
        "X11",
        "clock-two-seconds-fast",
        "its clock is two seconds ahead and is not set",
        "the envelope counts two seconds of skew either way",
        "evcc#10399",
        (("clock_skew_s", 2.0),),
    ),
    Quirk(
        "X11",
        "clock-two-seconds-slow",
        "its clock is two seconds behind and is not set",
        "the envelope counts two seconds of skew either way",
        "evcc#10399",
        (("clock_skew_s", -2.0),),
    ),
    Quirk(
        "X12",
        "illegal-words",
        "words, types and fields that the standard does not know",
        "answered with a result, counted by cause, and the rest is used",
        "lbbrhzn#1576, lbbrhzn#1248, mobilityhouse#54, mobilityhouse#415",
        behaviour=m.IllegalWords,
    ),
    Quirk(
        "X13",
        "sloppy-values",
        "values with blanks, empty ones and NaN",
        "trimmed or dropped",
        "evcc connector_core.go",
        behaviour=m.SloppyValues,
    ),
    Quirk(
        "X14",
        "own-phase-order",
        "it reports its own L1, which is wired to another phase",
        "the site file says how each connector is wired",
        "evcc#18522, evcc#22543",
    ),
    Quirk(
        "X15",
        "stops-before-answering",
        "StopTransaction comes before the answer to RemoteStopTransaction",
        "both directions run by themselves",
        "shiv3 ocpp-cp-simulator",
        behaviour=m.StopsBeforeAnswering,
    ),
    Quirk(
        "X16",
        "sloppy-frames",
        "message types as text, elements missing or too many, broken frames between",
        "read where only one reading is possible, else counted; the link goes on",
        "measured on mobilityhouse 2.1.0",
        behaviour=m.SloppyFrames,
    ),
)
