"""Orders to a charger as words on a command line: the verbs of `depot charger`, one a table row."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from twin_core.errors import ConfigurationError
from twin_core.models.charger import Aspect


@dataclass(frozen=True, slots=True)
class Verb:
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


def _start_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id_tag", metavar="TAG", help="for whom")
    parser.add_argument("--connector", type=int, help="there (default: the charger chooses)")


def _stop_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("transaction", type=int, nargs="?", help="its number (default: the one that runs there)")
    parser.add_argument("--connector", type=int, help="the one that runs on this connector")


def _availability_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("state", choices=["operative", "inoperative"])
    parser.add_argument("--connector", type=int, default=0, help="its number (default: the whole charger)")


def _transfer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("vendor", help="as it names itself, such as com.example")
    parser.add_argument("message", nargs="?", help="the vendor's name for it")
    parser.add_argument("data", nargs="?", help="what the vendor wants it to say")


def _list_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--send", action="store_true", help="bring it to the tags of the site file")
    what.add_argument("--empty", action="store_true", help="take every tag off it")


def _forget_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--what", action="append", choices=[aspect.value for aspect in Aspect], help="this alone; may be repeated"
    )
    parser.add_argument("--model", action="store_true", help="all of it, of every charger of its model and firmware")


VERBS: dict[str, Verb] = {
    "reset": Verb("restart it", _reset_options, lambda o: {"operation": "reset", "hard": o.hard}),
    "unlock": Verb(
        "open the lock of a connector", _unlock_options, lambda o: {"operation": "unlock", "connector": o.connector}
    ),
    "trigger": Verb(
        "have it say something now",
        _trigger_options,
        lambda o: {"operation": "trigger", "message": o.message, "connector": o.connector},
    ),
    "config": Verb("read its settings, or write one", _config_options, _config_order),
    "firmware": Verb("have it fetch firmware and install it", _firmware_options, _firmware_order),
    "diagnostics": Verb(
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
    "certificate": Verb(
        "sign or hand over the certificate it asked for; install, list or delete roots",
        _certificate_options,
        _certificate_order,
    ),
    "start": Verb(
        "have it start a transaction for a tag",
        _start_options,
        lambda o: {"operation": "start", "id_tag": o.id_tag, "connector": o.connector},
    ),
    "stop": Verb(
        "have it stop a transaction",
        _stop_options,
        lambda o: {"operation": "stop", "transaction": o.transaction, "connector": o.connector},
    ),
    "availability": Verb(
        "take it or a connector out of service, or back",
        _availability_options,
        lambda o: {"operation": "availability", "available": o.state == "operative", "connector": o.connector},
    ),
    "clear-cache": Verb(
        "have it forget which tags it saw accepted", lambda _: None, lambda _: {"operation": "clear_cache"}
    ),
    "data-transfer": Verb(
        "send it a vendor's private message",
        _transfer_options,
        lambda o: {"operation": "data_transfer", "vendor": o.vendor, "message": o.message, "data": o.data},
    ),
    "local-list": Verb(
        "ask the version of its own list of tags, or write that list",
        _list_options,
        lambda o: {"operation": "local_list", "what": "send" if o.send else "empty" if o.empty else "version"},
    ),
    "forget": Verb(
        "forget what was learned of it, and find it out anew",
        _forget_options,
        lambda o: {"operation": "forget", "what": o.what or [], "model": o.model},
    ),
    "reserve": Verb("keep a connector free for a tag, or give it up", _reserve_options, _reserve_order),
}


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
