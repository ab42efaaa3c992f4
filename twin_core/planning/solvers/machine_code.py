"""Python loops compiled to machine code, and kept on disk for as long as no source here changes."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])

_numba: Any = numba.config
_HERE: Final = Path(__file__).parent


def _digest() -> str:
    """Of all files that hold compiled functions."""
    texts = {path.name: path.read_bytes() for path in sorted(_HERE.glob("*.py"))}
    held = [name.encode() + b"\0" + text for name, text in texts.items() if b"\n@compiled\n" in text]
    return sha256(b"\0".join(held)).hexdigest()[:16]


_KEPT_IN: Final = Path(_numba.CACHE_DIR or _HERE / "__pycache__") / f"numba-{_digest()}"
"""numba looks at one function's own file only: after an update it would run old code of what that function calls, and
fail on a class that has moved. So each state of the sources has a folder of its own. Where it cannot be written, numba
takes its own places, in which that can happen.
"""


def is_compiled() -> bool:
    """Whether anything of this state of the sources was compiled before, here; else first plans take half a minute."""
    return _KEPT_IN.is_dir()


def compiled(function: _Function) -> _Function:
    """Machine code from disk, if it is there; it runs without the interpreter's lock."""
    before = _numba.CACHE_DIR
    _numba.CACHE_DIR = str(_KEPT_IN)
    try:
        return cast(_Function, numba.njit(cache=True, nogil=True)(function))
    finally:
        _numba.CACHE_DIR = before
