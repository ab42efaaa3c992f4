"""What is told of one charger: a line in a list, what anybody may see of it, and everything known."""

from __future__ import annotations

from pydantic import AwareDatetime

from panel.shapes import Shape


class UpstreamLine(Shape):
    """How a charger stands with the second central system.

    Attributes:
        state: idle, away, opening, up or late.
        waiting: messages that it has not answered yet.
        dropped: messages that it never heard.
        conflicts: how often the two did not agree.
    """

    state: str
    waiting: int
    dropped: int
    conflicts: int


class ConflictLine(Shape):
    """One disagreement with the upstream."""

    at: AwareDatetime
    kind: str
    words: str


class UpstreamLimitLine(Shape):
    """What either of the two allows a connector, per phase.

    Attributes:
        upstream_a: None where the upstream does not limit it.
        profile: the upstream's charging profile that does, in words.
        granted_a: the newest grant; None while there was none.
        binds: "upstream" or "depot", whoever allows less; empty where they do not differ.
    """

    connector: int
    upstream_a: float | None
    profile: str
    granted_a: float | None
    binds: str


class UpstreamDetail(UpstreamLine):
    """The same, in full.

    Attributes:
        since: when its link opened, or the last one ended.
        trouble: why there is none.
        delivered: messages of transactions that it answered.
        dropped_by: what it never heard, by action and why.
        refused_by: what of its own was not believed or not allowed, by cause.
        conflicts_by: disagreements by kind; `latest` are the newest, oldest first.
    """

    since: AwareDatetime | None
    trouble: str
    delivered: int
    dropped_by: dict[str, int]
    refused_by: dict[str, int]
    conflicts_by: dict[str, int]
    latest: tuple[ConflictLine, ...]
    limits: tuple[UpstreamLimitLine, ...]


class ChargerLine(Shape):
    """A charger in a list; `status` is by connector, `upstream` None where the site has none."""

    charger: str
    online: bool
    vendor: str
    model: str
    firmware: str
    status: dict[int, str]
    upstream: UpstreamLine | None = None


class ReservationLine(Shape):
    """A reservation that the charger holds, or may."""

    number: int
    connector: int
    id_tag: str
    until: AwareDatetime
    state: str


class ReportLine(Shape):
    """What a charger reported last of something, in its own words, and when that came."""

    said: str
    at: AwareDatetime


class LearnedLine(Shape):
    """One of a charger's ways.

    Attributes:
        aspect: which, as `forget` takes it.
        belief: what is believed, in words.
        seen: from what; empty where it was learned before evidence was kept.
        at: when that was seen first.
        by: the charger of the same model at which it was seen; empty for this one.
    """

    aspect: str
    belief: str
    seen: str
    at: AwareDatetime | None
    by: str


class ChargerDetail(ChargerLine):
    """What anybody may see of one charger.

    Attributes:
        serial: as it says itself.
        commissioned: whether it may be sent setpoints.
        firmware_update: how far the last update came.
        upload: how far the last upload of diagnostics or a log came.
        security_event: the newest it reported.
        learned: its ways, as far as they were found out.
    """

    upstream: UpstreamDetail | None = None
    serial: str
    commissioned: bool
    firmware_update: ReportLine | None
    upload: ReportLine | None
    security_event: ReportLine | None
    learned: tuple[LearnedLine, ...]


class ChargerCard(ChargerDetail):
    """Everything known of one charger.

    Attributes:
        list_version: of the list of tags it keeps itself; None where none was written.
        list_tags: how many tags that list has.
        certificate_wanted: the certificate signing request it sent last, in PEM.
        counters: what passed over its links.
        refused: what was not believed, by cause.
        flawed: messages that broke the official schemas and were read all the same.
    """

    list_version: int | None
    list_tags: int | None = None
    certificate_wanted: str | None
    reservations: tuple[ReservationLine, ...]
    counters: dict[str, int]
    refused: dict[str, int]
    flawed: dict[str, int]
