"""Values that options of several commands take."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A whole number, at least 1.

    Raises:
        ArgumentTypeError: it is less.
        ValueError: it is no whole number.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value
