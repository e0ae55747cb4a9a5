# SPDX-License-Identifier: Apache-2.0
"""Rules for every file, whatever it contains. After each rule follows a text that breaks it."""

import re
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.architecture.rules import CLIENT_MESHKIT_FILES
from tests.architecture.source import ROOT, files

TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "Makefile",
    "LICENSE",
    "protos",
    "libs",
    "services",
    "deploy",
    "tests",
}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "mapper"}
LICENSED = (".py", ".proto", ".sh", ".html", ".css", ".js", ".po")
SPDX = "SPDX-License-Identifier: Apache-2.0"
UNOWNED_TASK = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
# One letter of each is in brackets; otherwise this file itself would break the rule.
REGISTRY = re.compile(
    r"(?i)pyp[i]\.org|pythonhoste[d]\.org|artifactor[y]|index-ur[l]|find-link[s]|trusted-hos[t]|/simpl[e]/"
)
LOCK_LINE = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?|#.*|")
LOCK = ROOT / "deploy" / "requirements.lock"
# Options of pip-compile that *remove* addresses from the lock.
LETS_NO_ADDRESS_THROUGH = re.compile(r"--no-emit-[a-z-]+|--no-index")


def _ours() -> list[PurePosixPath]:
    return [path for path in files() if path.parts[:2] != ("libs", "purser") and "vendor" not in path.parts]


def _text(path: PurePosixPath) -> str:
    return (ROOT / path).read_text(errors="replace")


def _is_licensed(text: str) -> bool:
    return SPDX in text.partition("\n")[0]


def _addresses(text: str) -> list[str]:
    return [found[0] for found in REGISTRY.finditer(LETS_NO_ADDRESS_THROUGH.sub("", text))]


def test_the_top_level_is_as_laid_out() -> None:
    found = {path.parts[0] for path in files() if not path.parts[0].startswith(".")}

    assert found <= TOP_LEVEL


def test_every_source_names_its_license_first() -> None:
    assert [str(path) for path in _ours() if path.suffix in LICENSED and not _is_licensed(_text(path))] == []


def test_a_license_on_the_second_line_is_not_first() -> None:
    assert not _is_licensed(f"import os\n# {SPDX}\n")


def test_every_file_is_named_for_what_it_holds() -> None:
    assert [str(path) for path in _ours() if path.stem in NAMES_THAT_SAY_NOTHING] == []


def test_every_open_task_names_its_issue() -> None:
    sources = [
        path for path in _ours() if path.suffix in LICENSED and path.parts[:2] != ("tests", "architecture")
    ]

    assert [str(path) for path in sources if UNOWNED_TASK.search(_text(path))] == []


def test_a_task_without_a_number_is_caught() -> None:
    assert UNOWNED_TASK.search("# TODO: later")
    assert not UNOWNED_TASK.search("# TODO(#12): later")


def test_no_file_names_a_package_registry() -> None:
    found = {str(path): _addresses(_text(path)) for path in files()}

    assert {path: addresses for path, addresses in found.items() if addresses} == {}


@pytest.mark.parametrize(
    "words", [("--extra", "index", "url x"), ("--trusted", "host x"), ("--find", "links=/x")]
)
def test_a_registrys_address_is_caught(words: tuple[str, ...]) -> None:
    assert _addresses("-".join(words)) != []


def test_the_lock_holds_names_versions_and_hashes_only() -> None:
    assert [line for line in LOCK.read_text().splitlines() if not LOCK_LINE.fullmatch(line)] == []


def test_a_path_in_the_lock_is_caught() -> None:
    assert not LOCK_LINE.fullmatch("purser @ file:///home/me/purser")
    assert not LOCK_LINE.fullmatch("-e .")


def test_each_file_of_meshkit_is_in_one_distribution_the_clients_in_its_own() -> None:
    client = tomllib.loads(_text(PurePosixPath("libs/pyproject.toml")))["tool"]["hatch"]["build"]["targets"]
    mesh = tomllib.loads(_text(PurePosixPath("pyproject.toml")))["tool"]["hatch"]["build"]["targets"]
    of_client = {f"libs/{name}" for name in client["wheel"]["only-include"] if name.startswith("meshkit/")}

    assert of_client == set(mesh["wheel"]["exclude"])
    assert of_client == {str(path) for path in CLIENT_MESHKIT_FILES} | {
        "libs/meshkit/__init__.py",
        "libs/meshkit/py.typed",
    }
