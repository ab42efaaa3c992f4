"""`python -m studies.real_days`: the study where nothing but what it needs is installed."""

from __future__ import annotations

import argparse
import sys

from studies.real_days import command
from twin_core.errors import DepotError


def main() -> int:
    """Run the study; the exit status says whether it did what it was asked."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.real_days",
        description=command.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.options(parser)
    try:
        return command.run(parser.parse_args())
    except DepotError as error:
        print(f"real_days: {error}", file=sys.stderr)  # noqa: T201 -- the terminal is where a user looks
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
