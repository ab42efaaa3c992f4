"""The command line itself: help that teaches, one clear line for what cannot be done, and exit statuses to rely on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.commands import COMMANDS
from gateway.single_gateway import only_gateway
from tests.gateway.site_texts import GOOD
from tests.services import free_port

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert f"depot {command}" in capsys.readouterr().out


def test_without_a_command_the_first_steps_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "first steps" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        main([])
    assert refused.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere.toml"], "cannot be read"),
        (["run", "nowhere.toml"], "cannot be read"),
        (["replay", "nowhere.db"], "nowhere.db"),
        (["demo", "--scenario", "nowhere"], "nowhere"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"depot {arguments[0]}: ")
    assert words in error
    assert error.count("\n") == 1


def test_the_live_path_loads_no_learning_or_data_library() -> None:
    heavy = {"torch", "pandas", "matplotlib", "cvxpy", "scipy"}
    code = "import sys, gateway.commands.run, gateway.cli; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(loaded.stdout.split())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    text = GOOD.replace('[mqtt]\nhost = "127.0.0.1"', "")
    meters = text.index("[[meters]]")
    text = text[:meters] + text[text.index("[panel]") :]
    path.write_text(
        f'data_dir = "{tmp_path / "data"}"\n{text}'.replace("[ocpp]\nport = 0", f"[ocpp]\nport = {free_port()}")
    )
    return path


def _run(site: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "--log-level", "info", "run", "--headless", str(site)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_live_gateway_stops_in_good_order_when_told_to_and_keeps_a_second_one_out(site: Path) -> None:
    with _run(site) as gateway:
        assert gateway.stderr is not None
        lines = []
        for line in gateway.stderr:
            lines.append(line)
            if "listening" in line:
                break
        with _run(site) as second:
            _, error = second.communicate(timeout=20)
        gateway.send_signal(signal.SIGTERM)
        _, rest = gateway.communicate(timeout=15)
    assert second.returncode == 2
    assert f"process {gateway.pid}" in error
    assert gateway.returncode == 0, rest
    assert "Traceback" not in "".join(lines) + rest


def test_a_port_that_is_taken_is_named_and_nothing_is_left_behind(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def taken() -> int:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    with asyncio.Runner() as runner:
        port = runner.run(taken())
        text = site.read_text()
        site.write_text(text.replace(text[text.index("[ocpp]") :].splitlines()[1], f"port = {port}"))
        assert main(["run", "--headless", str(site)]) == 2
    error = capsys.readouterr().err
    assert str(port) in error
    assert "another" in error
    assert "Traceback" not in error


def test_a_demo_does_not_touch_the_data_of_a_gateway_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_gateway(tmp_path):
        before = sorted(tmp_path.iterdir())
        assert main(["demo", "--headless", "--ocpp-port", "0", "--mqtt-port", "0", "--data-dir", str(tmp_path)]) == 2
        assert sorted(tmp_path.iterdir()) == before
    assert "in use" in capsys.readouterr().err
