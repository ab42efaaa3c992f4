"""Where the strict strangers' protocol library lies; installed once into a folder of builds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.services import require_program

ROOT = Path(__file__).parents[2]
STRANGER = ROOT / "tests" / "peers" / "stranger.mjs"
LIBRARY = "ocpp-rpc@2.2.1"


def strict_library() -> Path:
    """The folder that holds its node_modules; without npm or a network the test is skipped, or fails (see services)."""
    folder = ROOT / "build" / "peers"
    if (folder / "node_modules" / "ocpp-rpc").is_dir():
        return folder
    npm = require_program("npm")
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), LIBRARY]
    folder.mkdir(parents=True, exist_ok=True)
    installed = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    if installed.returncode:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"npm could not install {LIBRARY}: {installed.stderr[-400:]}")
        pytest.skip(f"npm could not install {LIBRARY}")
    return folder
