import io
import os
import threading
import time
from datetime import timedelta

import pytest
from rich.console import Console

from gateway.live_table import LiveTable, progress_line, render
from panel.shapes import PanelView
from panel.view import view
from tests.panel.depot import AFTERNOON, CHARGING, NOON, Outlet, report
from twin_core.models.charger import ConnectorStatus
from twin_core.models.plan import PlanStatus
from twin_core.models.quantities import Instant


def drawn(shown: PanelView, *, width: int = 150, rows: int = 20) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(render(shown, rows=rows))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def at(minutes: float) -> PanelView:
    return view(report(now=Instant(0.0, NOON + timedelta(minutes=minutes))))


def test_the_table_shows_power_against_limit_and_every_connector() -> None:
    text = drawn(view(report()))
    assert "101.2 kW of 160 kW" in text
    assert all(f"CP-{number:02d}/1" in text for number in range(1, len(AFTERNOON) + 1))
    assert "NOT OBEYING" in text


def test_when_rows_are_few_trouble_comes_first_and_the_rest_is_counted() -> None:
    text = drawn(view(report()), rows=2)
    assert "CP-07/1" in text
    assert "CP-12/1" in text
    assert "CP-01/1" not in text
    assert "14 more" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in drawn(view(report()), width=width).splitlines()) <= width


def test_what_a_stranger_wrote_neither_styles_nor_commands_the_terminal() -> None:
    rogue = Outlet(ConnectorStatus.FAULTED, error="[red]\x1b[2J\x1b]0;owned\x07")
    text = drawn(view(report((rogue,))))
    assert "[red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_plans_reason_cannot_command_the_terminal_either() -> None:
    made = report()
    plan = made.snapshot.plan
    assert plan is not None
    late = type(plan)(
        plan.planner,
        PlanStatus.FALLBACK,
        plan.horizon,
        plan.session_ids,
        plan.power_kw,
        plan.unserved_kwh,
        0,
        0,
        "\x1b[2J",
    )
    assert "\x1b" not in drawn(view(report(plan=late)))


def test_without_a_terminal_a_line_comes_every_five_minutes_of_the_sites_time() -> None:
    output = io.StringIO()
    with LiveTable(Console(file=output)) as table:
        for minute in range(12):
            table.update(at(minute))
            time.sleep(0.02)
    lines = output.getvalue().splitlines()
    assert lines == [progress_line(at(minute)) for minute in (0, 5, 10)]


def test_in_a_terminal_the_newest_view_is_the_one_left_standing() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=150, height=40)
    with LiveTable(console, frame_s=0.01) as table:
        for minute in range(50):
            table.update(at(minute))
    assert "12:49:00" in output.getvalue()
    assert table.skipped > 0


def test_a_terminal_that_takes_nothing_holds_neither_the_loop_nor_the_end_up() -> None:
    reader, writer = os.pipe()
    stuck = Console(file=os.fdopen(writer, "w"), force_terminal=True, width=300, height=200)
    crowd = view(report(tuple(Outlet(CHARGING, 10, 10, tag="V") for _ in range(180))))
    began = time.monotonic()
    with LiveTable(stuck, frame_s=0.0) as table:
        for _ in range(200):
            table.update(crowd)
            time.sleep(0.001)
    assert time.monotonic() - began < 4.0
    assert table.skipped > 0
    os.close(reader)  # as `depot run | head` does: the thread ends, and nothing else
    for thread in threading.enumerate():
        if thread.name == "live-table":
            thread.join(timeout=2.0)
            assert not thread.is_alive()
