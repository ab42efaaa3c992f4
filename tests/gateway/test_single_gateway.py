"""One gateway a data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.single_gateway import only_gateway
from twin_core.errors import ConfigurationError

HOLD = """
import sys, time
from pathlib import Path
from gateway.single_gateway import only_gateway
with only_gateway(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_gateway_on_one_folder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with (
        only_gateway(tmp_path / "data"),
        pytest.raises(ConfigurationError, match=f"process {os.getpid()}.*another data_dir"),
        only_gateway(tmp_path / "data"),
    ):
        pass
    with only_gateway(tmp_path / "data"), only_gateway(tmp_path / "other"):
        pass


def test_a_gateway_that_was_killed_leaves_its_folder_free(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match=str(other.pid)), only_gateway(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait(10)
    with only_gateway(tmp_path):
        pass
