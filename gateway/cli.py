"""`depot`: the command line. Each command is one module in `gateway/commands`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from gateway.commands import COMMANDS
from gateway.structured_log import configure_logging
from twin_core.errors import DepotError

EPILOG = """\
first steps
  depot demo                          a simulated depot, run live, with its panel in the browser
  depot check SITE.toml               what the gateway makes of your site file, and every fault in it
  depot run SITE.toml                 run your depot
  depot chargers --url ws://127.0.0.1:9000/ocpp --count 5
                                      five virtual charge points against any OCPP 1.6J central system
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="depot",
        allow_abbrev=False,  # else `--log` of a command is taken for the start of one of these
        description="A live digital twin that runs an EV charging depot.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument(
        "--log-level", default="warning", choices=["debug", "info", "warning", "error"], help="how much to log"
    )
    root.add_argument(
        "--log-format", default="text", choices=["text", "json"], help="one line an entry, for people or machines"
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.options(sub)
        sub.set_defaults(execute=command.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status says whether it did what it was asked."""
    options = parser().parse_args(arguments)
    configure_logging(options.log_level, options.log_format)
    try:
        status: int = options.execute(options)
    except DepotError as error:
        print(f"depot {options.command}: {error}", file=sys.stderr)  # noqa: T201 -- the terminal is where a user looks
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        logging.shutdown()
    return status


if __name__ == "__main__":
    sys.exit(main())
