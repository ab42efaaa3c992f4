"""A swarm of virtual charge points in the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.clock import LoopClock
from simulators.credentials import Credentials
from simulators.swarm import SwarmStatus, run_swarm
from twin_core.errors import ConfigurationError

ROWS_SHOWN = 30
LINE_EVERY_S = 10.0


async def watch_swarm(options: argparse.Namespace) -> int:
    """Run the swarm and show it; 0 when every charge point was accepted at least once."""
    console = Console()
    with Live(console=console, auto_refresh=False, transient=False) as live:
        lines = _Lines(console)

        def show(status: SwarmStatus) -> None:
            if console.is_terminal:
                live.update(_table(status), refresh=True)
            else:
                lines.show(status)

        status = await run_swarm(
            options.url,
            options.count,
            clock=LoopClock(datetime.now(UTC)),
            seed=options.seed,
            prefix=options.prefix,
            names=options.ids,
            password=options.password,
            credentials=credentials_of(options),
            minutes=options.minutes,
            on_status=show,
        )
    console.print(_summary(status))
    if status.accepted < status.count:
        console.print(f"[red]{status.count - status.accepted} charge point(s) were never accepted by {options.url}[/]")
    return 0 if status.accepted == status.count else 1


def credentials_of(options: argparse.Namespace) -> Callable[[str], Credentials] | None:
    """What each charge point trusts and shows in TLS, by its identity; None where the address has no TLS.

    Raises:
        ConfigurationError: a file cannot be read, or what is given does not go together.
    """
    if not options.url.startswith("wss:"):
        if options.ca or options.certificate or options.key:
            raise ConfigurationError("--ca, --certificate and --key need TLS: give --url wss://HOST:PORT/PATH")
        return None
    if (options.certificate is None) != (options.key is None):
        raise ConfigurationError("--certificate and --key go together: give both, or neither")

    def credentials(name: str) -> Credentials:
        if options.certificate is None:
            return Credentials(options.ca)
        return Credentials(options.ca, _text(options.certificate, name), _text(options.key, name))

    return credentials


def _text(pattern: str, name: str) -> str:
    file = Path(pattern.replace("{id}", name))
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read ({error}): name a PEM file") from error


class _Lines:
    """A line now and then, where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due_s = 0.0

    def show(self, status: SwarmStatus) -> None:
        if status.elapsed_s >= self._due_s:
            self._due_s = status.elapsed_s + LINE_EVERY_S
            self._console.print(_summary(status), soft_wrap=True)


def _summary(status: SwarmStatus) -> Text:
    return Text(
        f"{status.online}/{status.count} online, {status.charging} charging, {status.power_kw:.1f} kW, "
        f"{status.energy_kwh:.2f} kWh, {status.sessions} sessions, calls {status.calls_sent} sent "
        f"{status.calls_received} received, {status.errors_received} errors"
    )


def _table(status: SwarmStatus) -> Group:
    table = Table("charger", "status", "offered A", "kW", "session kWh", "SoC", "sessions", box=None, pad_edge=False)
    for row in status.rows[:ROWS_SHOWN]:
        table.add_row(
            Text(row.charger),
            row.status.value if row.online else "offline",
            f"{row.offered_a:.1f}",
            f"{row.power_kw:.1f}",
            f"{row.session_kwh:.2f}",
            "" if row.soc is None else f"{row.soc:.0%}",
            str(row.sessions),
        )
    if len(status.rows) > ROWS_SHOWN:
        table.add_row(Text(f"and {len(status.rows) - ROWS_SHOWN} more", style="dim"))
    return Group(_summary(status), table)
