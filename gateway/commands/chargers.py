"""`depot chargers`: virtual charge points against any OCPP 1.6J central system."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from gateway.clock import new_loop
from gateway.swarm_view import watch_swarm
from twin_core.errors import ConfigurationError

SUMMARY = "virtual charge points against any OCPP 1.6J central system"
DESCRIPTION = """\
Connects virtual OCPP 1.6J charge points, each with cars of its own that come, charge as the
central system allows (IEC 61851: 0 or at least 6 A, CC-CV taper) and leave. Use it to try any
central system, this one included.

example
  depot chargers --url ws://127.0.0.1:9000/ocpp --count 20
  depot chargers --url wss://depot.example:9000/ocpp --ca ca.pem \\
      --certificate 'certs/{id}.pem' --key 'certs/{id}.key' --ids CP-1 CP-2
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--url", required=True, help="where charge points connect; their identity is appended")
    parser.add_argument("--count", type=int, default=1, help="how many (default 1)")
    parser.add_argument("--prefix", default="VCP", help="identities are PREFIX-0001 and so on (default VCP)")
    parser.add_argument(
        "--ids", nargs="+", default=(), metavar="ID", help="identities, in place of --count and --prefix"
    )
    parser.add_argument("--minutes", type=float, help="stop after this long (default: run until Ctrl-C)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same cars (default 1)")
    parser.add_argument("--password", help="password for HTTP Basic authentication (security profiles 1 and 2)")
    parser.add_argument("--ca", type=Path, metavar="FILE.pem", help="trusted for wss:// (default: the machine's list)")
    parser.add_argument("--certificate", metavar="FILE.pem", help="shown over wss:// (profile 3); {id} is the identity")
    parser.add_argument("--key", metavar="FILE.pem", help="private key of that; {id} is the identity")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when every charge point was accepted at least once."""
    if options.count < 1:
        raise ConfigurationError(f"--count {options.count}: give at least 1")
    with asyncio.Runner(loop_factory=lambda: new_loop(1.0)) as runner:
        return runner.run(watch_swarm(options))
