"""`depot charger`: what a running gateway knows of its chargers, and orders to them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.charger_verbs import VERBS
from gateway.charger_view import answer_shown, card_shown, chargers_shown
from gateway.operator_client import ask_gateway
from gateway.operator_key import read_key
from gateway.site_file import read_site
from panel.cards import ChargerCard, ChargerLine
from panel.orders import ChargerAnswer

SUMMARY = "what a running gateway's chargers are and do; ask them something"
DESCRIPTION = """\
Talks to the gateway that runs on a site, through its panel's port, with the key that it keeps in
its data folder. Give the SITE.toml it was started with, or that data folder. Shows what the
charger said, in its own words.

exit status
  0  the charger agreed, or here is what was asked for
  1  the charger refused, made an error, gave no answer in time, or is offline
  2  no gateway runs there, or the question makes no sense

examples
  depot charger list my-depot.toml
  depot charger show my-depot.toml CP-1
  depot charger unlock my-depot.toml CP-1 2
  depot charger config my-depot.toml CP-1 HeartbeatInterval        (read; all without a name)
  depot charger config my-depot.toml CP-1 HeartbeatInterval=300    (write)
  depot charger diagnostics my-depot.toml CP-1 ftp://10.0.0.5/in
  depot charger reserve my-depot.toml CP-1 1 EV-7 --minutes 30
  depot charger start my-depot.toml CP-1 EV-7 --connector 1
  depot charger stop my-depot.toml CP-1                            (what runs there)
  depot charger forget my-depot.toml CP-1 --what pause --what delay
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="WHAT")
    _add_verb(verbs.add_parser("list", help="every charger of the site"), named=False)
    _add_verb(verbs.add_parser("show", help="everything known of one"), named=True)
    for name, verb in VERBS.items():
        sub = verbs.add_parser(name, help=verb.summary)
        _add_verb(sub, named=True)
        verb.options(sub)


def _add_verb(parser: argparse.ArgumentParser, *, named: bool) -> None:
    parser.add_argument("site", metavar="SITE", type=Path, help="the site file, or the gateway's data folder")
    if named:
        parser.add_argument("charger", metavar="CHARGER", help="its identity")
    parser.add_argument("--json", action="store_true", help="print what came back as JSON")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when the charger agreed, 1 when it did not."""
    data_dir = options.site if options.site.is_dir() else read_site(options.site)[0].data_dir
    key = read_key(data_dir)
    console = Console(highlight=False, markup=False)
    if options.verb == "list":
        found = ask_gateway(key, "GET", ("api", "chargers"))
        _print(options, found, lambda: console.print(chargers_shown([ChargerLine(**line) for line in found])))
        return 0
    if options.verb == "show":
        card = ask_gateway(key, "GET", ("api", "chargers", options.charger))
        _print(options, card, lambda: console.print(card_shown(ChargerCard.model_validate(card))))
        return 0
    if options.verb == "certificate" and options.request:
        wanted = ask_gateway(key, "GET", ("api", "chargers", options.charger))["certificate_wanted"]
        sys.stdout.write("" if wanted is None else f"{wanted}\n")
        return 1 if wanted is None else 0
    order = VERBS[options.verb].order(options)
    said = ask_gateway(key, "POST", ("api", "chargers", options.charger, "orders"), order)
    answer = ChargerAnswer.model_validate(said)
    _print(options, said, lambda: console.print(answer_shown(answer), soft_wrap=True))
    return 0 if answer.outcome == "done" else 1


def _print(options: argparse.Namespace, found: Any, show: Callable[[], None]) -> None:
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        show()
