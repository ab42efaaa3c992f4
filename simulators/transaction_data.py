"""Meter values that StopTransaction tells at the end: kept while a transaction runs, thinned out as they grow many."""

from __future__ import annotations

from simulators.machine import Machine
from simulators.sampling import Reading, meter_value
from simulators.wire import Payload

_MOST = 200
"""Values kept of one transaction; of more, every second one goes, so that what stays tells of all of it."""


class TransactionData:
    """The values of the transactions that run, by connector.

    Attributes:
        thinned: values that had to go.
    """

    __slots__ = ("_kept", "_machine", "thinned")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._kept: dict[int, list[Payload]] = {}
        self.thinned = 0

    def begin(self, number: int, reading: Reading) -> None:
        """A transaction begins."""
        self._kept.pop(number, None)
        self.add(number, reading, "Transaction.Begin")

    def add(self, number: int, reading: Reading, context: str, key: str = "StopTxnSampledData") -> None:
        """Keep what a configuration key wants of a reading, if it wants anything."""
        measurands = self._machine.configuration.measurands(key)
        if not measurands:
            return
        value = meter_value(reading, measurands, context, self._machine.station.own_time)
        if not value["sampledValue"]:
            return
        kept = self._kept.setdefault(number, [])
        if len(kept) >= _MOST:
            self.thinned += len(kept) // 2
            del kept[1::2]
        kept.append(value)

    def end(self, number: int) -> list[Payload]:
        """What was kept, which is given away."""
        return self._kept.pop(number, [])
