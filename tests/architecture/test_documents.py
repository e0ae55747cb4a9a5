# SPDX-License-Identifier: Apache-2.0
"""The documents agree with the code, and the code's citations with the documents.

A citation names a document from the root of the repository and the heading of a section of it:
`services/ledger/README.md, "Burn-down order"`. After each check follows a text that it must reject.
"""

import importlib
import importlib.util
import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from pydantic import AliasChoices

from deploy.local.database import SERVICES
from meshkit.config import IDENTITY_FIELDS, FrontSettings, MeshSettings, ProcessSettings
from tests.architecture.source import FRONTS, ROOT, files

DECISION_LINES_MAX = 15
THIS_FILE = "tests/architecture/test_documents.py"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
SETTING = re.compile(r"^\| `(PURSER_[A-Z_<>]+)` \|.*\| (?:`([^`]*)`|(required)|(empty)) \|$", re.MULTILINE)
TARGET = re.compile(r"`make ([a-z-]+)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ANCHOR = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s:]*)#([^)\s]+)\)")
DOCUMENT = re.compile(r"[\w./-]*\w\.md\b")
CITATION = re.compile(r'([\w./-]*\w\.md),\s+(?:(?:#|//)\s+)?"([^"]+)"')
FILE = re.compile(r"(?<![\w./-])((?:[\w-]+/)*[\w-]+\.(?:py|proto|sh|toml))\b")
OLD_CITATION = re.compile(r"\.md\s+§.*")


def _text(path: str) -> str:
    return (ROOT / path).read_text()


def _documents() -> list[str]:
    return [str(path) for path in files() if path.suffix == ".md"]


def _broken_links(document: str, text: str) -> list[str]:
    folder = (ROOT / document).parent
    return [link for link in LINK.findall(text) if "://" not in link and not (folder / link).exists()]


def _sections(document: str) -> set[str]:
    """The headings of a document; none when there is no such document."""
    path = ROOT / document
    return set(HEADING.findall(path.read_text())) if path.is_file() else set()


def _anchor(heading: str) -> str:
    """The anchor by which a web page of the document links to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _broken_anchors(document: str, text: str) -> list[str]:
    broken = []
    for link, anchor in ANCHOR.findall(text):
        target = str((ROOT / document).parent / link) if link else document
        if anchor not in {_anchor(heading) for heading in _sections(target)}:
            broken.append(f"{link}#{anchor}")
    return broken


def _wrong_citations(text: str) -> list[str]:
    """The citations of a text whose form is wrong, or that lead nowhere."""
    nowhere = [
        f'{document}, "{title}"'
        for document, title in CITATION.findall(text)
        if title not in _sections(document)
    ]
    return OLD_CITATION.findall(text) + nowhere


def _unknown_files(text: str, known: Iterable[str]) -> list[str]:
    """The files that a text names and that no path ends with. Part of a path is enough: `store/rows.py`."""
    paths = [f"/{path}" for path in known]
    return [name for name in FILE.findall(text) if not any(path.endswith(f"/{name}") for path in paths)]


def _unknown_names(text: str) -> list[str]:
    """The modules of meshkit, and the names in them, that a text names and that do not exist."""
    unknown = []
    for path, names in re.findall(r"`([a-z_.]+)`(?: \(([^)]*)\))?", text):
        if importlib.util.find_spec(f"meshkit.{path}") is None:
            unknown.append(path)
        else:
            module = importlib.import_module(f"meshkit.{path}")
            missing = [name for name in re.findall(r"`(\w+)`", names) if not hasattr(module, name)]
            unknown += [f"{path}.{name}" for name in missing]
    return unknown


def _cited() -> list[str]:
    kinds = (".py", ".proto", ".md")
    return [str(path) for path in files() if path.suffix in kinds and path.parts[:2] != ("libs", "purser")]


def _settings() -> Iterator[tuple[str, str]]:
    """Every setting of every service, with its default as the table writes it."""
    for service in (*SERVICES, *(front for front in FRONTS if (ROOT / "services" / front).is_dir())):
        config = importlib.import_module(f"services.{service}.config")
        for kind in vars(config).values():
            if _is_settings(kind):
                for name, field in kind.model_fields.items():
                    alias = field.validation_alias
                    variable = f"PURSER_{service.upper()}_{name.upper()}"
                    if isinstance(alias, AliasChoices):
                        variable = str(alias.choices[-1])
                    yield variable, "required" if name in IDENTITY_FIELDS else _written(field)


def _is_settings(kind: object) -> bool:
    bases = (ProcessSettings, MeshSettings, FrontSettings)
    return isinstance(kind, type) and issubclass(kind, ProcessSettings) and kind not in bases


def _written(field: Any) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if hasattr(field.default, "isoformat"):
        return str(field.default.isoformat()).replace("+00:00", "Z")
    return str(field.default) or "empty"


def _documented(text: str) -> dict[str, str]:
    """The settings of a table, with their defaults; <SERVICE> stands for each service, <FRONT> for portal and edge."""
    documented: dict[str, str] = {}
    fronts = [front for front in FRONTS if (ROOT / "services" / front).is_dir()]
    for name, default, *others in SETTING.findall(text):
        for front in fronts if "<FRONT>" in name else ("",):
            for service in SERVICES:
                written = name.replace("<SERVICE>", service.upper()).replace("<FRONT>", front.upper())
                documented[written] = default or "".join(others)
    return documented


def _differences(table: str, settings: Iterable[tuple[str, str]]) -> list[str]:
    documented, known = _documented(table), dict(settings)
    # A row for all services is right if at least one of them has the setting.
    everywhere = {row for row in documented if row not in known and _is_shared(row, known)}
    wrong = [f"{name} is {default}" for name, default in known.items() if documented.get(name) != default]
    return wrong + [
        f"{name} is unknown" for name in documented if name not in known and name not in everywhere
    ]


def _is_shared(name: str, known: Iterable[str]) -> bool:
    ending = name.split("_", 2)[2]
    return ending.endswith("_ADDRESS") and any(one.endswith(f"_{ending}") for one in known)


def _decisions(text: str) -> list[tuple[int, list[str]]]:
    """The numbered decisions, each with its lines that are not blank, heading included."""
    parts = re.split(r"^## (\d+)\. ", text, flags=re.MULTILINE)[1:]
    return [
        (int(number), [line for line in body.splitlines() if line.strip()])
        for number, body in zip(parts[::2], parts[1::2], strict=True)
    ]


@pytest.mark.parametrize("document", _documents())
def test_every_link_target_exists(document: str) -> None:
    assert _broken_links(document, _text(document)) == []


def test_a_link_to_nowhere_is_caught() -> None:
    assert _broken_links("README.md", "see [here](services/nowhere.md#part)") == ["services/nowhere.md"]


@pytest.mark.parametrize("document", _documents())
def test_every_link_to_a_section_finds_it(document: str) -> None:
    assert _broken_anchors(document, _text(document)) == []


def test_a_link_to_a_section_that_does_not_exist_is_caught() -> None:
    text = "[right](README.md#try-it), [here](#try-it), [no such section](README.md#try-this), [or here](#try-this)"

    assert _broken_anchors("README.md", text) == ["README.md#try-this", "#try-this"]


def test_every_cited_section_exists() -> None:
    wrong = {path: _wrong_citations(_text(path)) for path in _cited()}

    assert {path: citations for path, citations in wrong.items() if citations} == {}


def test_code_names_no_document_that_is_not_in_the_repository() -> None:
    code = [path for path in _cited() if not path.endswith(".md") and path != THIS_FILE]
    named = {(path, document) for path in code for document in DOCUMENT.findall(_text(path))}

    assert {(path, document) for path, document in named if not (ROOT / document).is_file()} == set()


@pytest.mark.parametrize("document", _documents())
def test_every_file_that_a_document_names_exists(document: str) -> None:
    assert _unknown_files(_text(document), map(str, files())) == []


def test_a_file_that_does_not_exist_is_caught() -> None:
    text = "see `store/rows.py`, `rows.py`, rule.py:7 and `wire/rows.py`"

    assert _unknown_files(text, ["services/ledger/store/rows.py", "rule.py"]) == ["wire/rows.py"]


def test_the_table_of_meshkit_names_what_there_is() -> None:
    [table] = re.findall(
        r"^\| you want to \| import \|\n((?:\|.*\n)+)", _text("libs/README.md"), flags=re.MULTILINE
    )
    uses = [row.split("|")[2] for row in table.splitlines()]

    assert _unknown_names(" ".join(uses)) == []


def test_a_name_that_meshkit_does_not_have_is_caught() -> None:
    text = "`ids` (`Ids`, `OrderedIds`), `clocks` (`Clock`), `page`"

    assert _unknown_names(text) == ["ids.OrderedIds", "clocks"]


@pytest.mark.parametrize(
    ("citation", "is_right"),
    [
        ("{ledger}, {quote}Burn-down order{quote}", True),
        ("{ledger},\n# {quote}Burn-down order{quote}", True),
        ("{ledger}, {quote}Burn-down orders{quote}", False),
        ("services/nowhere/README.md, {quote}Burn-down order{quote}", False),
        ("{ledger} {sign}Burn-down order", False),
    ],
)
def test_a_citation_of_a_section_that_does_not_exist_is_caught(citation: str, is_right: bool) -> None:
    # Assembled here; otherwise the check would find them in this file.
    text = citation.format(ledger="services/ledger/README.md", quote='"', sign="§")

    assert (_wrong_citations(text) == []) is is_right


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
def test_a_wrongly_documented_setting_is_caught(row: str, differences: list[str]) -> None:
    assert _differences(row, [("PURSER_ALERT_SANDBOX", "false")]) == differences


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), flags=re.MULTILINE))

    named = {(path, target) for path in _documents() for target in TARGET.findall(_text(path))}

    assert {one for one in named if one[1] not in targets} == set()


def test_decisions_are_numbered_and_short() -> None:
    decisions = _decisions(_text("services/DECISIONS.md"))

    assert [number for number, _ in decisions] == list(range(1, len(decisions) + 1))
    assert {number: len(lines) for number, lines in decisions if len(lines) > DECISION_LINES_MAX} == {}


def test_every_dependency_has_its_reason_in_the_decisions() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=]", one)[0] for one in wanted}

    named = set(re.findall(r"`([a-z][a-z0-9-]+)`", _text("services/DECISIONS.md")))

    assert names - named == set()
