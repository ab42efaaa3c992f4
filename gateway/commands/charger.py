"""`depot charger`: what a running gateway knows of its chargers, and orders to them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.charger_view import answer_shown, card_shown, chargers_shown
from gateway.operator_client import ask_gateway
from gateway.operator_key import read_key
from gateway.site_file import read_site
from panel.orders import ChargerAnswer, ChargerCard, ChargerLine
from twin_core.errors import ConfigurationError

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
"""


@dataclass(frozen=True, slots=True)
class _Verb:
    """One thing to ask: its help, its options, and the order they make."""

    summary: str
    options: Callable[[argparse.ArgumentParser], None]
    order: Callable[[argparse.Namespace], dict[str, Any]]


def _reset_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hard", action="store_true", help="do not wait for transactions to end in order")


def _unlock_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("connector", type=int, nargs="?", default=1, help="its number (default 1)")


def _trigger_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("message", help="such as MeterValues, StatusNotification, BootNotification")
    parser.add_argument("--connector", type=int, help="of this connector only")


def _config_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("settings", nargs="*", metavar="NAME[=VALUE]", help="to read, or one to write")


def _config_order(options: argparse.Namespace) -> dict[str, Any]:
    writes = [one for one in options.settings if "=" in one]
    if not writes:
        return {"operation": "read_configuration", "keys": options.settings}
    if len(options.settings) > 1:
        raise ConfigurationError("write one setting at a time: a charger answers each for itself")
    key, _, value = writes[0].partition("=")
    return {"operation": "write_configuration", "key": key, "value": value}


def _firmware_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("location", metavar="URL", help="where the charger fetches it")
    parser.add_argument("--at", type=_moment, metavar="TIME", help="when to fetch it (default: now)")
    parser.add_argument("--certificate", type=Path, metavar="FILE.pem", help="of whoever signed it")
    parser.add_argument("--signature", help="of the file, in base64; with --certificate")


def _firmware_order(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "operation": "firmware",
        "location": options.location,
        "retrieve": options.at,
        "certificate": None if options.certificate is None else _text_of(options.certificate),
        "signature": options.signature,
    }


def _diagnostics_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("location", metavar="URL", help="where the charger uploads to")
    parser.add_argument("--log", choices=["diagnostics", "security"], help="by the security extension (GetLog)")
    parser.add_argument("--since", type=_moment, metavar="TIME")
    parser.add_argument("--until", type=_moment, metavar="TIME")


def _reserve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("connector", type=int, nargs="?", help="its number; 0 is any of the charger's")
    parser.add_argument("id_tag", nargs="?", metavar="TAG", help="for whom")
    parser.add_argument("--minutes", type=float, default=60.0, help="for how long (default 60)")
    parser.add_argument("--group", metavar="TAG", help="whoever is of this group may use it too")
    parser.add_argument("--cancel", type=int, metavar="NUMBER", help="give this reservation up instead")


def _reserve_order(options: argparse.Namespace) -> dict[str, Any]:
    if options.cancel is not None:
        return {"operation": "cancel", "number": options.cancel}
    if options.connector is None or options.id_tag is None:
        raise ConfigurationError("reserve what for whom? give CONNECTOR and TAG, or --cancel NUMBER")
    return {
        "operation": "reserve",
        "connector": options.connector,
        "id_tag": options.id_tag,
        "minutes": options.minutes,
        "group": options.group,
    }


def _certificate_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--request", action="store_true", help="print the signing request it sent last, in PEM")
    what.add_argument("--deliver", type=Path, metavar="CHAIN.pem", help="the certificate it asked for, with its chain")
    what.add_argument("--sign", action="store_true", help="have the depot's authority sign it, and hand it over")
    what.add_argument("--install", type=Path, metavar="ROOT.pem", help="a root certificate to trust")
    what.add_argument("--list", action="store_true", help="the root certificates it holds")
    what.add_argument(
        "--delete", nargs=4, metavar=("ALGORITHM", "NAME", "KEY", "SERIAL"), help="one of them, as --list names it"
    )
    parser.add_argument(
        "--of-manufacturer", action="store_true", help="roots for firmware, in place of those for the central system"
    )


def _certificate_order(options: argparse.Namespace) -> dict[str, Any]:
    if options.delete is not None:
        names = ("algorithm", "issuer_name_hash", "issuer_key_hash", "serial_number")
        return {"operation": "delete_certificate", **dict(zip(names, options.delete, strict=True))}
    file = options.deliver or options.install
    return {
        "operation": "certificate",
        "what": next(what for what in ("list", "sign", "deliver", "install") if getattr(options, what)),
        "use": "ManufacturerRootCertificate" if options.of_manufacturer else "CentralSystemRootCertificate",
        "pem": "" if file is None else _text_of(file),
    }


VERBS: dict[str, _Verb] = {
    "reset": _Verb("restart it", _reset_options, lambda o: {"operation": "reset", "hard": o.hard}),
    "unlock": _Verb(
        "open the lock of a connector", _unlock_options, lambda o: {"operation": "unlock", "connector": o.connector}
    ),
    "trigger": _Verb(
        "have it say something now",
        _trigger_options,
        lambda o: {"operation": "trigger", "message": o.message, "connector": o.connector},
    ),
    "config": _Verb("read its settings, or write one", _config_options, _config_order),
    "firmware": _Verb("have it fetch firmware and install it", _firmware_options, _firmware_order),
    "diagnostics": _Verb(
        "have it upload its diagnostics or a log",
        _diagnostics_options,
        lambda o: {
            "operation": "diagnostics",
            "location": o.location,
            "log": o.log,
            "since": o.since,
            "until": o.until,
        },
    ),
    "certificate": _Verb(
        "sign or hand over the certificate it asked for; install, list or delete roots",
        _certificate_options,
        _certificate_order,
    ),
    "reserve": _Verb("keep a connector free for a tag, or give it up", _reserve_options, _reserve_order),
}


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


def _moment(text: str) -> str:
    """A time with a zone, or in local time without."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-06-01T12:00") from None


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error}); give a certificate in PEM") from error
