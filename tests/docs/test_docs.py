"""What the documents say of the program must be true of it: examples run, settings exist, links lead somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from pydantic import BaseModel

from connectors.mqtt.decoders import DECODERS
from gateway.cli import parser
from gateway.site_faults import site_faults
from gateway.site_file import SiteFile, parse_site, site_tree
from gateway.site_twin import twin_settings
from studies.thesis.scenario import parse_set_up
from twin_core.planning.table import PLANNERS
from twin_core.safety.parameters import EnvelopeParameters

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("docs", "deploy")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
SITE_MANUAL = ROOT / "docs" / "site-file.md"

FENCE = re.compile(r"^```(?P<language>[a-z]*)[^\n]*\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")
SECRET = re.compile(r'^\w+_env *= *"(\w+)"', re.MULTILINE)
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
SHELL_ENDS = frozenset({"&&", "||", "|", ";", "#"})


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def outside_fences(text: str) -> str:
    return FENCE.sub("", text)


def toml_examples(*, of_studies: bool) -> Iterator[ParameterSet]:
    """Examples of the set-up of a study name its `model`; all others are of a site."""
    for path in DOCUMENTS:
        found = [match for match in FENCE.finditer(path.read_text(encoding="utf-8")) if match["language"] == "toml"]
        for number, match in enumerate(found, 1):
            if ("model" in tomllib.loads(match["body"])) is of_studies:
                yield pytest.param(match["body"], id=f"{name_of(path)}-{number}")


def whole_site(example: str) -> str:
    """An example of single tables, completed with the least a site needs."""
    tables = tomllib.loads(example)
    head = "" if "name" in tables else 'name = "example"\n'
    tail = "" if "grid" in tables else "\n[grid]\nlimit_a = 400\n"
    broker = "\n[mqtt]\n" if "meters" in tables and "mqtt" not in tables else ""
    return f"{head}{example}{tail}{broker}"


@pytest.mark.parametrize("example", list(toml_examples(of_studies=False)))
def test_every_site_example_can_be_run_safely(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SECRET.findall(example):
        monkeypatch.setenv(variable, "secret")
    site, _ = parse_site(whole_site(example), "example")
    faults = site_faults(site, site_tree(site), twin_settings(site).envelope)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("example", list(toml_examples(of_studies=True)))
def test_every_study_example_can_be_run(example: str) -> None:
    assert parse_set_up(example, "the example").name


def test_there_are_site_examples() -> None:
    assert len(list(toml_examples(of_studies=False))) >= 3


# The site file.


def tables_of(model: type[BaseModel], heading: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The tables of the site file by the heading they have in it, from the models themselves."""
    yield heading, model
    for field, info in model.model_fields.items():
        for inner in models_in(info.annotation):
            listed = typing.get_origin(info.annotation) is tuple
            name = f"{heading.strip('[]')}.{field}".strip(".")
            yield from tables_of(inner, f"[[{name}]]" if listed else f"[{name}]")


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_in(part)


def section_of(manual: str, heading: str) -> str:
    """The part of the manual under the heading that names a table, up to the next heading."""
    wanted = f"`{heading}`" if heading else "The file itself"
    for section in re.split(r"^## ", manual, flags=re.MULTILINE)[1:]:
        if wanted in section.partition("\n")[0]:
            return section
    return ""


def settings_in(section: str) -> set[str]:
    """Settings explained in a section: the first cell of its tables' rows."""
    rows = re.findall(r"^\| (?P<cell>`[^|]*?) \|", section, re.MULTILINE)
    return {span for row in rows for span in CODE_SPAN.findall(row)}


@pytest.mark.parametrize(("heading", "model"), list(tables_of(SiteFile)), ids=lambda value: str(value) or "file")
def test_the_manual_explains_every_setting_and_no_other(heading: str, model: type[BaseModel]) -> None:
    manual = SITE_MANUAL.read_text(encoding="utf-8")
    section = section_of(manual, heading)
    assert section, f"docs/site-file.md has no section for {heading or 'the file itself'}"
    plain = {field for field, info in model.model_fields.items() if not list(models_in(info.annotation))}
    assert settings_in(section) == plain


@pytest.mark.parametrize(("heading", "model"), list(tables_of(SiteFile)), ids=lambda value: str(value) or "file")
def test_the_manual_gives_the_true_defaults(heading: str, model: type[BaseModel]) -> None:
    section = section_of(SITE_MANUAL.read_text(encoding="utf-8"), heading)
    for field, info in model.model_fields.items():
        row = re.search(rf"^\| `{field}` \| (?P<default>[^|]*) \|", section, re.MULTILINE)
        if row is None or info.default is None or info.default_factory is not None:
            continue
        said = row["default"].strip().strip("`")
        if info.is_required():
            assert said == "required", f"{heading} {field}"
        elif said.startswith(('"', "[", "true", "false")) or re.fullmatch(r"[-\d.]+", said):
            value = tomllib.loads(f"x = {said}")["x"]
            default = str(info.default) if isinstance(info.default, Path) else info.default
            assert value == (list(default) if isinstance(default, tuple) else default), f"{heading} {field}"
        else:
            pytest.fail(f"{heading} {field}: the manual says {said!r}, the program {info.default!r}")


def test_the_manual_names_every_planner_and_every_decoder() -> None:
    spans = set(CODE_SPAN.findall(SITE_MANUAL.read_text(encoding="utf-8")))
    assert set(PLANNERS) <= spans
    assert set(DECODERS) <= spans


# Safety.


def test_the_safety_page_states_the_window_the_program_counts_with() -> None:
    text = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    parameters = EnvelopeParameters()
    assert f"T_safe = {parameters.window_s:g} s" in text
    for field in ("lease_s", "skew_s", "ramp_s", "guard_s"):
        assert f"`{field}` {getattr(parameters, field):g} s" in text


# Links.


def links() -> Iterator[ParameterSet]:
    for path in DOCUMENTS:
        for match in LINK.finditer(outside_fences(path.read_text(encoding="utf-8"))):
            target = match["target"] or match["image"]
            if "://" not in target and not target.startswith("mailto:"):
                yield pytest.param(path, target, id=f"{name_of(path)}->{target}")


def anchors_of(path: Path) -> set[str]:
    """Anchors as the usual renderers make them from headings."""
    headings = HEADING.findall(outside_fences(path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("document", "target"), list(links()))
def test_every_link_leads_somewhere(document: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    found = (document.parent / file).resolve() if file else document
    assert found.exists(), f"{name_of(document)}: {target}"
    if anchor:
        assert anchor in anchors_of(found), f"{name_of(document)}: {target}"


# Commands.


def commands() -> Iterator[ParameterSet]:
    seen: set[str] = set()
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        lines = [line for match in FENCE.finditer(text) for line in match["body"].splitlines()]
        for line in [*lines, *CODE_SPAN.findall(outside_fences(text))]:
            for words in commands_in(line):
                key = f"{name_of(path)}: {' '.join(words)}"
                if key not in seen:
                    seen.add(key)
                    yield pytest.param(words[1:], id=key)


def commands_in(line: str) -> Iterator[list[str]]:
    """The `depot …` commands of a line, each up to where the shell would end it."""
    line = re.sub(r"\s+#.*$", "", line).replace("…", "VALUE")
    if "depot" not in line or line.count('"') % 2 or line.count("'") % 2:
        return
    words = shlex.split(line)
    starts = [i for i, word in enumerate(words) if word == "depot" or word.endswith("/bin/depot")]
    for start in starts:
        before = words[start - 1] if start else "&&"
        if before not in SHELL_ENDS and "=" not in before:
            continue
        ends = [i for i, word in enumerate(words) if i > start and word in SHELL_ENDS]
        command = words[start : ends[0] if ends else None]
        if len(command) > 1 and re.fullmatch(r"[a-z-]+", command[1]):
            yield command


def parsers_of(root: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def options_of(command: argparse.ArgumentParser) -> set[str]:
    return {option for action in command._actions for option in action.option_strings}


@pytest.mark.parametrize("words", list(commands()))
def test_every_command_shown_exists(words: list[str]) -> None:
    current, rest = parser(), list(words)
    while rest and (inner := parsers_of(current)):
        while rest and rest[0].startswith("--"):
            assert rest[0] in options_of(current), f"{rest[0]!r} is no option here"
            rest = rest[2:]
        assert rest, f"{words}: names no command"
        assert rest[0] in inner, f"{rest[0]!r} is not one of {', '.join(inner)}"
        current, rest = inner[rest[0]], rest[1:]
    unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - options_of(current)
    assert not unknown, f"{' '.join(words)}: {unknown}"


def test_commands_are_shown() -> None:
    assert len(list(commands())) >= 8
