# SPDX-License-Identifier: Apache-2.0
"""A Go service asks the gate, with stubs that `make stubs` generates: `make go-caller`, where Go is installed."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.database import SOURCE_ROOT
from deploy.local.seatsco import ASSISTANT
from meshkit.quantity import MICROS
from tests.support.mesh import SwitchedMesh, acme_at, secured
from tests.support.postgres import Databases

CALLER = SOURCE_ROOT / "tests" / "e2e" / "go"
SECONDS_MAX = 600  # the first build fetches and compiles gRPC

pytestmark = [
    # Cold, it takes more than a minute; nothing but the protos can break it.
    pytest.mark.skipif("PURSER_GO_CALLER" not in os.environ, reason="`make go-caller` builds and runs it"),
    pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed"),
    pytest.mark.timeout(SECONDS_MAX),
]


def _built(folder: Path) -> Path:
    """Install the pinned plugins, generate the stubs and build the caller, all in `folder`; returns the program."""
    module = shutil.copytree(CALLER, folder / "feature")
    programs = folder / "bin"
    environment = {**os.environ, "GOBIN": str(programs), "PATH": f"{programs}:{os.environ['PATH']}"}
    stubs = ("make", "stubs", "TEMPLATE=protos/buf.gen.go.yaml", f"OUT={module / 'stubs'}")
    for command, where in (
        (("go", "install", "tool"), module),
        (stubs, SOURCE_ROOT),
        (("go", "build", "-o", programs / "feature", "."), module),
    ):
        done = subprocess.run(
            command, cwd=where, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return programs / "feature"


async def test_a_go_service_asks_the_gate_and_captures(databases: Databases, tmp_path: Path) -> None:
    program = await asyncio.to_thread(_built, tmp_path)

    access = secured(tmp_path / "identities")
    async with SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses, access.identity) as acme:
            identity = access.identity
            process = await asyncio.create_subprocess_exec(
                program,
                mesh.addresses["ledger"],
                identity.files.authority,
                identity.token_file("gate"),
                acme.offer.usage[ASSISTANT],
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            said, complaints = await process.communicate()
            left = await acme.available()

    assert said.decode() == f"DECISION_ALLOWED {12 * MICROS}\n", complaints.decode()
    assert left == (400 - 12) * MICROS
