# SPDX-License-Identifier: Apache-2.0
"""What the documents say of the house is so. Each check is followed by a text that just fails it."""

import importlib
import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from deploy.local.database import SERVICES
from meshkit.config import MeshSettings
from tests.architecture.source import ROOT, files

DECISION_LINES_MAX = 15
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
SETTING = re.compile(r"^\| `(PURSER_[A-Z_<>]+)` \|.*\| (?:`([^`]*)`|(required)|(empty)) \|$", re.MULTILINE)
TARGET = re.compile(r"`make ([a-z-]+)")


def _text(path: str) -> str:
    return (ROOT / path).read_text()


def _documents() -> list[str]:
    return [str(path) for path in files() if path.suffix == ".md"]


def _broken_links(document: str, text: str) -> list[str]:
    folder = (ROOT / document).parent
    return [link for link in LINK.findall(text) if "://" not in link and not (folder / link).exists()]


def _settings() -> Iterator[tuple[str, str]]:
    """Every setting of every service, with its default as a reader would write it."""
    for service in SERVICES:
        config = importlib.import_module(f"services.{service}.config")
        for kind in vars(config).values():
            if isinstance(kind, type) and issubclass(kind, MeshSettings) and kind is not MeshSettings:
                for name, field in kind.model_fields.items():
                    yield f"PURSER_{service.upper()}_{name.upper()}", _written(field)


def _written(field: Any) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if hasattr(field.default, "isoformat"):
        return str(field.default.isoformat()).replace("+00:00", "Z")
    return str(field.default) or "empty"


def _told(text: str) -> dict[str, str]:
    """The settings that a table tells, with their defaults; <SERVICE> stands for each."""
    told: dict[str, str] = {}
    for name, default, *others in SETTING.findall(text):
        for service in SERVICES:
            told[name.replace("<SERVICE>", service.upper())] = default or "".join(others)
    return told


def _differences(table: str, settings: Iterable[tuple[str, str]]) -> list[str]:
    told, known = _told(table), dict(settings)
    # A row for every service is true where only some of them have the setting.
    everywhere = {row for row in told if row not in known and _is_shared(row, known)}
    wrong = [f"{name} is {default}" for name, default in known.items() if told.get(name) != default]
    return wrong + [f"{name} is unknown" for name in told if name not in known and name not in everywhere]


def _is_shared(name: str, known: Iterable[str]) -> bool:
    ending = name.split("_", 2)[2]
    return ending.endswith("_ADDRESS") and any(one.endswith(f"_{ending}") for one in known)


def _decisions(text: str) -> list[tuple[int, list[str]]]:
    """The numbered decisions, each with its lines that are not blank, the heading among them."""
    parts = re.split(r"^## (\d+)\. ", text, flags=re.MULTILINE)[1:]
    return [
        (int(number), [line for line in body.splitlines() if line.strip()])
        for number, body in zip(parts[::2], parts[1::2], strict=True)
    ]


@pytest.mark.parametrize("document", _documents())
def test_every_link_leads_somewhere(document: str) -> None:
    assert _broken_links(document, _text(document)) == []


def test_a_link_to_nowhere_is_caught() -> None:
    assert _broken_links("README.md", "see [here](services/nowhere.md#part)") == ["services/nowhere.md"]


def test_the_readme_names_every_setting_with_its_default() -> None:
    assert _differences(_text("README.md"), _settings()) == []


@pytest.mark.parametrize(
    ("row", "differences"),
    [
        ("| `PURSER_ALERT_SANDBOX` | stands still | `false` |", []),
        ("| `PURSER_ALERT_SANDBOX` | stands still | `true` |", ["PURSER_ALERT_SANDBOX is false"]),
        ("", ["PURSER_ALERT_SANDBOX is false"]),
        (
            "| `PURSER_ALERT_SANDBOX` | … | `false` |\n| `PURSER_ALERT_COLOUR` | … | empty |",
            ["PURSER_ALERT_COLOUR is unknown"],
        ),
    ],
)
def test_a_setting_wrongly_told_is_caught(row: str, differences: list[str]) -> None:
    assert _differences(row, [("PURSER_ALERT_SANDBOX", "false")]) == differences


def test_the_documents_name_no_make_target_that_is_not_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), flags=re.MULTILINE))

    named = {(path, target) for path in _documents() for target in TARGET.findall(_text(path))}

    assert {one for one in named if one[1] not in targets} == set()


def test_decisions_are_numbered_and_short() -> None:
    decisions = _decisions(_text("services/DECISIONS.md"))

    assert [number for number, _ in decisions] == list(range(1, len(decisions) + 1))
    assert {number: len(lines) for number, lines in decisions if len(lines) > DECISION_LINES_MAX} == {}


def test_every_dependency_has_its_reason_among_the_decisions() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=]", one)[0] for one in wanted}

    told = set(re.findall(r"`([a-z][a-z-]+)`", _text("services/DECISIONS.md")))

    assert names - told == set()
