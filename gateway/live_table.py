"""The depot in a terminal: a live table where one can be drawn, and a line every so often where not."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from panel.shapes import AlarmView, ConnectorState, ConnectorView, PanelView, Severity, SiteView
from twin_core.models.grant import Verdict

logger = logging.getLogger(__name__)

ALARMS_SHOWN = 3
FRAME_ROWS = 12
"""Rows taken by everything but the connectors."""

_STATE_STYLE = {
    ConnectorState.CHARGING: "green",
    ConnectorState.HELD_BACK: "yellow",
    ConnectorState.PLUGGED_IN: "yellow",
    ConnectorState.PAUSED_BY_CAR: "blue",
    ConnectorState.FAULTED: "bold red",
    ConnectorState.OFFLINE: "dim",
    ConnectorState.FREE: "dim",
}
_SEVERITY = {Severity.ALARM: ("!!", "bold red"), Severity.WARNING: ("! ", "yellow"), Severity.NOTICE: ("· ", "dim")}
_VERDICT = {
    Verdict.OBEYED: Text("✓ obeyed", "green"),
    Verdict.LIMITED_BY_CAR: Text("car limits", "blue"),
    Verdict.NOT_OBEYED: Text("NOT OBEYING", "bold red"),
    Verdict.PENDING: Text("checking", "dim"),
    Verdict.UNMEASURED: Text("not measured", "yellow"),
}


def render(view: PanelView, *, rows: int = 20) -> RenderableType:
    """The depot as something rich can print: power against limit, connectors, what wants attention.

    Args:
        view: what to show.
        rows: connectors listed at most; those with a vehicle or a trouble come first.
    """
    return Group(_head(view), _connectors(view.connectors, rows), _alarms(view.alarms))


def progress_line(view: PanelView) -> str:
    """The depot in one line, for logs and pipes."""
    site, tally = view.site, view.tally
    limit = "" if site.limit_kw is None else f"/{site.limit_kw:.0f}"
    plan = "no plan" if view.plan is None else f"plan {view.plan.status.value}"
    alarms = sum(alarm.severity is Severity.ALARM for alarm in view.alarms)
    return (
        f"{site.time:%Y-%m-%d %H:%M} {site.power_kw:6.1f}{limit} kW  "
        f"{site.charging} charging, {site.sessions} vehicles  "
        f"{tally.delivered_kwh:.1f} kWh in {tally.sessions_completed}/{tally.sessions_started} sessions  "
        f"{site.price_eur_per_kwh:.3f} €/kWh  {plan}  {alarms} alarms"
    )


def _head(view: PanelView) -> Panel:
    site = view.site
    grid = Table.grid(expand=True, padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(justify="right")
    grid.add_row(_power(site), Text(f"{site.time:%a %d %b %H:%M:%S} UTC", "dim"))
    grid.add_row(_bar(site), Text(f"{site.price_eur_per_kwh:.3f} €/kWh", "magenta"))
    tally = view.tally
    served = f"{site.charging} charging, {site.sessions} vehicles, {site.online}/{site.connectors} connectors online"
    grid.add_row(Text(served), Text(f"{tally.delivered_kwh:.1f} kWh for {tally.cost_eur:.2f} €"))
    grid.add_row(Text(_plan(view), "dim"), Text(f"{tally.sessions_completed}/{tally.sessions_started} sessions", "dim"))
    return Panel(
        grid, title=Text(site.name, "bold"), title_align="left", border_style="red" if site.shedding else "dim"
    )


def _power(site: SiteView) -> Text:
    text = Text(f"{site.power_kw:.1f} kW", "bold")
    if site.limit_kw is not None:
        text.append(f" of {site.limit_kw:.0f} kW", "not bold")
    if site.headroom_kw is not None:
        text.append(f"   {site.headroom_kw:.1f} kW free in the worst case", "not bold dim")
    return text.append("   SHEDDING LOAD", "bold red") if site.shedding else text


def _bar(site: SiteView) -> RenderableType:
    if site.limit_kw is None:
        return Text("no limit set", "dim")
    over = not site.power_kw <= site.limit_kw
    style = "red" if over else "green"
    return ProgressBar(total=site.limit_kw, completed=site.power_kw, complete_style=style, finished_style=style)


def _plan(view: PanelView) -> str:
    if view.plan is None:
        return "no plan yet"
    reason = f": {_plain(view.plan.reason)}" if view.plan.reason else ""
    return f"plan: {view.plan.planner} ({view.plan.status.value}{reason}), {view.plan.solve_s * 1000:.0f} ms"


def _connectors(connectors: tuple[ConnectorView, ...], rows: int) -> Table:
    table = Table(expand=True, box=None, header_style="dim", padding=(0, 1))
    for name in ("connector", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("kW", "drawn A", "granted A", "kWh", "battery", "leaves"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why", ratio=1, no_wrap=True, overflow="ellipsis")
    ranked = sorted(connectors, key=_rank)
    for connector in ranked[:rows]:
        table.add_row(*_row(connector))
    if len(ranked) > rows:
        table.add_row(Text(f"… {len(ranked) - rows} more", "dim"))
    return table


def _rank(connector: ConnectorView) -> int:
    if connector.distrusted or connector.state is ConnectorState.FAULTED:
        return 0
    return 1 if connector.id_tag is not None else 2


def _row(connector: ConnectorView) -> list[Text]:
    drawn_a = None if connector.current_a is None else max(connector.current_a)
    wanted = "" if connector.requested_kwh is None else f"/{connector.requested_kwh:.1f}"
    energy = "" if connector.energy_kwh is None else f"{connector.energy_kwh:.1f}{wanted}"
    leaves = "" if connector.departure is None else f"{connector.departure:%H:%M}"
    verdict = Verdict.NOT_OBEYED if connector.distrusted else connector.verdict
    return [
        Text(connector.id, "bold"),
        Text(connector.state.value, _STATE_STYLE.get(connector.state, "")),
        Text(_number(connector.power_kw), "dim" if connector.stale else ""),
        Text(_number(drawn_a)),
        Text(_number(connector.limit_a)),
        Text(energy),
        Text("" if connector.soc is None else f"{connector.soc:.0%}"),
        Text(leaves),
        Text("") if verdict is None else _VERDICT[verdict],
        Text(_plain(connector.why), "dim"),
    ]


def _plain(text: str) -> str:
    """Text without what a terminal would obey: some of it was chosen by strangers."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _alarms(alarms: tuple[AlarmView, ...]) -> Text:
    text = Text()
    for alarm in alarms[:ALARMS_SHOWN]:
        mark, style = _SEVERITY[alarm.severity]
        text.append(f"{mark} {_plain(f'{alarm.subject} {alarm.text}').strip()}\n", style)
    if len(alarms) > ALARMS_SHOWN:
        text.append(f"   and {len(alarms) - ALARMS_SHOWN} more, see the panel\n", "dim")
    return text


class LiveTable:
    """Shows views in a terminal for the length of a `with`, or prints a line now and then where there is none.

    A terminal can stop taking output (Ctrl-S, a full pipe), so a thread of its own writes and `update` never waits;
    views that come faster than they can be shown are skipped, the newest is kept. The thread is a daemon because a
    stuck terminal must not keep the program from ending.

    Args:
        console: where to draw; standard output unless given.
        frame_s: shortest time between two frames, on the viewer's own clock: eyes do not speed up with a simulation.
        line_every_s: shortest time between two lines, in the site's time.
    """

    def __init__(self, console: Console | None = None, *, frame_s: float = 0.25, line_every_s: float = 300.0) -> None:
        self._console = console or Console()
        self._frame_s = frame_s
        self._line_every_s = line_every_s
        self._next: PanelView | None = None
        self._last_line: PanelView | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="live-table", daemon=True)
        self.skipped = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=2.0)

    def update(self, view: PanelView) -> None:
        """Show a view as soon as the terminal takes it. Never waits."""
        if not self._console.is_terminal and not self._line_due(view):
            return
        with self._changed:
            self.skipped += self._next is not None
            self._next = view
            self._changed.notify()

    def _line_due(self, view: PanelView) -> bool:
        last = self._last_line
        if last is not None and (view.site.time - last.site.time).total_seconds() < self._line_every_s:
            return False
        self._last_line = view
        return True

    def _run(self) -> None:
        try:
            self._draw() if self._console.is_terminal else self._print()
        except (OSError, SystemExit) as gone:
            # Rich ends its thread with SystemExit when the other end of a pipe is closed; the depot runs on.
            logger.warning("terminal_gone", extra={"cause": repr(gone)})

    def _print(self) -> None:
        while (view := self._take()) is not None:
            self._console.print(progress_line(view), markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> None:
        live = Live(
            console=self._console,
            auto_refresh=False,
            vertical_overflow="crop",
            # The program's own output stays its own: redirected, it would wait for a stuck terminal too.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with live:
            while (view := self._take()) is not None:
                live.update(render(view, rows=max(3, self._console.height - FRAME_ROWS)), refresh=True)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, timeout=self._frame_s)

    def _take(self) -> PanelView | None:
        """The newest view, as soon as there is one; None when all was shown and the table is closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._next is not None or self._closing)
            view, self._next = self._next, None
            return view


def live_table(*, headless: bool, speed: float = 1.0) -> LiveTable:
    """A table on a terminal, or a line every few seconds of the wall where there is none or none is wanted."""
    console = Console(force_terminal=False, width=160) if headless else Console()
    return LiveTable(console, line_every_s=5.0 * speed)
