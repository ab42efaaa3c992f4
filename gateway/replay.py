"""Replay: the journal's facts into a fresh twin, and its grants compared with the ones that were sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from connectors.store.journal_reader import list_runs, read_events, read_grants
from gateway.depot import EFFECTIVE_SITE, JOURNAL
from gateway.site_file import SiteFile, read_effective_site, site_tree
from gateway.site_twin import new_twin, twin_settings
from twin_core.cycle import Twin
from twin_core.errors import ConfigurationError
from twin_core.models.events import Event, Ticked
from twin_core.models.grant import Grant

DIFFERENCES_SHOWN = 20


@dataclass(slots=True)
class Replayed:
    """What a replay came to.

    Attributes:
        differing: grants that the replay and the run did not make alike, the first `DIFFERENCES_SHOWN`, in words.
        differences: how many there are.
    """

    run: int
    begun: datetime
    events: int = 0
    ticks: int = 0
    grants: int = 0
    differences: int = 0
    differing: list[str] = field(default_factory=list)
    twin: Twin | None = None
    last: Event | None = None


def replay(journal: Path, site_path: Path | None = None, run: int | None = None) -> Replayed:
    """Replay one run of a journal, the last one unless told otherwise.

    Raises:
        ConfigurationError: the run or the site file is not there.
        StorageError: the journal cannot be read.
    """
    journal = journal / JOURNAL if journal.is_dir() else journal
    runs = {known.number: known for known in list_runs(journal)}
    number = max(runs, default=0) if run is None else run
    if number not in runs:
        raise ConfigurationError(f"{journal}: has no run {number}; there are {', '.join(map(str, runs)) or 'none'}")
    site = read_effective_site(site_path or journal.parent / EFFECTIVE_SITE)
    result = Replayed(number, runs[number].started)
    sent = iter(read_grants(journal, run=number))
    for event in read_events(journal, run=number):
        result.events += 1
        result.last = event
        if result.twin is None:
            result.twin = _fresh_twin(site, runs[number].started)
        if isinstance(event, Ticked):
            result.ticks += 1
            _compare(result, result.twin.tick(event.at).decision.grants, sent)
        else:
            result.twin.receive(event)
    for original in sent:
        _note(result, f"made nothing, sent {_short(original)} at {original.issued.utc:%H:%M:%S}")
    return result


def _fresh_twin(site: SiteFile, since: datetime) -> Twin:
    return new_twin(site, site_tree(site), since, twin_settings(site))


def _compare(result: Replayed, made: tuple[Grant, ...], sent: Iterator[Grant]) -> None:
    for grant in made:
        result.grants += 1
        original = next(sent, None)
        if original is None or (original.connector_id, original.seq, original.limit_a) != (
            grant.connector_id,
            grant.seq,
            grant.limit_a,
        ):
            _note(result, f"at {grant.issued.utc:%H:%M:%S}: made {_short(grant)}, sent {_short(original)}")


def _note(result: Replayed, difference: str) -> None:
    result.differences += 1
    if len(result.differing) < DIFFERENCES_SHOWN:
        result.differing.append(difference)


def _short(grant: Grant | None) -> str:
    return "nothing" if grant is None else f"{grant.connector_id} #{grant.seq} {grant.limit_a:g} A"
