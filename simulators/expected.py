"""Remote starts that wait for a vehicle, each for as long as ConnectionTimeOut says."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.machine import Machine
from simulators.wire import Payload
from twin_core.models.ids import IdTag


@dataclass(frozen=True, slots=True)
class RemoteStart:
    """What a remote start said; `profile` as it came."""

    id_tag: IdTag
    profile: Payload | None


class Expected:
    """The remote starts of one charge point that wait, one a connector at most."""

    __slots__ = ("_machine", "_waiting")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._waiting: dict[int, RemoteStart] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._waiting

    def put(self, number: int, start: RemoteStart) -> None:
        """From now on a connector waits for a vehicle."""
        self._waiting[number] = start
        self._machine.expecting.add(number)
        timeout_s = self._machine.configuration.number("ConnectionTimeOut")
        self._machine.later(f"expected {number}", timeout_s, lambda: self.take(number))

    def take(self, number: int) -> RemoteStart | None:
        """What a connector waited for, if it did; it waits no longer."""
        self._machine.expecting.discard(number)
        self._machine.agenda.cancel(f"expected {number}")
        return self._waiting.pop(number, None)

    def forget(self) -> None:
        """Nothing is waited for any more."""
        for number in list(self._waiting):
            self.take(number)
