"""Machine code on disk belongs to the sources it was made of, all of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import twin_core.planning.solvers.machine_code as machine_code

SHOWS_WHERE = "import loops; print(loops.one.stats.cache_path)"
LOOPS = "from machine_code import compiled\n\n@compiled\ndef one():\n    return {}\n"


def kept_in(folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", SHOWS_WHERE], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_change_in_any_file_of_loops_is_a_folder_of_its_own(tmp_path: Path) -> None:
    shutil.copy(Path(machine_code.__file__), tmp_path / "machine_code.py")
    (tmp_path / "loops.py").write_text(LOOPS.format(1))
    first = kept_in(tmp_path)
    (tmp_path / "no_loops.py").write_text("one = 1\n")
    assert kept_in(tmp_path) == first
    (tmp_path / "loops.py").write_text(LOOPS.format(2))
    assert kept_in(tmp_path) != first
