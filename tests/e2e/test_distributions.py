# SPDX-License-Identifier: Apache-2.0
"""Each distribution does its work where only it and its dependencies, as locked, are installed."""

import asyncio
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import httpx
import pytest

from deploy.local.database import SERVICES, SOURCE_ROOT
from deploy.local.mesh import front_environment
from deploy.local.ports import HOST, free_port
from deploy.local.readiness import until_answering
from deploy.local.seatsco import ASSISTANT
from tests.architecture.source import files
from tests.support.mesh import SwitchedMesh, acme_at, secured
from tests.support.postgres import Databases

LOCK = SOURCE_ROOT / "deploy" / "requirements.lock"
# What an AI feature of README.md does, with nothing but the client installed.
ASK = """
import asyncio, importlib.util, sys
from pathlib import Path
import grpc
from purser_client import Gate

async def main(address, authority, product):
    tls = grpc.ssl_channel_credentials(Path(authority).read_bytes())
    async with Gate(address, credentials=tls, token=Path(authority).with_name("gate.token")) as gate:
        async with gate.authorize(customer="acme", product=product, quantity=2, user_id="ann") as hold:
            hold.capture(1)
        balance = await gate.balance(customer="acme")
    others = ("services", "deploy", "sandbox", "access", "purser_cli")
    foreign = [one for one in others if importlib.util.find_spec(one)]
    print(balance.pools[0].available.micros, foreign)

asyncio.run(main(*sys.argv[1:]))
"""


def _pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, cwd=SOURCE_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _wheel(project: str, folder: Path) -> Path:
    """Build the distribution of a project folder with the locked build tools; returns the wheel."""
    into = folder / (project.strip("./") or "mesh")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", into, project)
    [wheel] = into.glob("*.whl")
    return wheel


def _installed(folder: Path, *wheels: Path) -> Path:
    """Install wheels and what they require, in the locked versions, into an empty environment; returns its programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    wanted = folder / "wanted.txt"
    wanted.write_text(
        "".join(f"{one} --hash=sha256:{hashlib.sha256(one.read_bytes()).hexdigest()}\n" for one in wheels)
    )
    environment = ("--python", programs / "python")
    locked = ("--only-binary", ":all:", "--require-hashes", "--constraint", LOCK, "--no-compile")
    _pip(*environment, "install", *locked, "--requirement", wanted)
    _pip(*environment, "check")
    return programs


async def _output(*command: object, cwd: Path, **environment: str) -> str:
    """Run a program with these variables only, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return said.decode().strip()


def _contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return {name for name in packed.namelist() if ".dist-info/" not in name}


def _packages() -> set[str]:
    """The files of the repository that run, as a wheel names them."""
    running = [path for path in files() if path.parts[0] in ("libs", "services", "deploy")]
    packed = {PurePosixPath(*path.parts[1:]) if path.parts[0] == "libs" else path for path in running}
    return {str(path) for path in packed if len(path.parts) > 1}


async def test_the_client_alone_asks_the_gate(databases: Databases, tmp_path: Path) -> None:
    programs = await asyncio.to_thread(lambda: _installed(tmp_path, _wheel("./libs", tmp_path)))

    access = secured(tmp_path / "identities")
    async with SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses, access.identity) as acme:
            asked = (mesh.addresses["ledger"], access.identity.files.authority, acme.offer.usage[ASSISTANT])
            said = await _output(programs / "python", "-c", ASK, *asked, cwd=tmp_path)

    assert said == f"{(400 - 12) * 1_000_000} []"


@pytest.mark.timeout(300)  # it fetches 70 packages, which takes as long as the network and the disk take
async def test_the_mesh_is_installed_with_everything_that_runs(tmp_path: Path) -> None:
    client = _wheel("./libs", tmp_path)
    mesh = _wheel(".", tmp_path)
    assert _contents(client) & _contents(mesh) == set()
    assert _contents(client) | _contents(mesh) == _packages()

    programs = await asyncio.to_thread(_installed, tmp_path, client, mesh)

    assert "token" in await _output(programs / "purser", "--help", cwd=tmp_path)
    assert "migrate" in await _output(programs / "python", "-m", "services.contract", "--help", cwd=tmp_path)
    assert await _pages(programs, tmp_path) == ["de", "text/css; charset=utf-8"]


async def _pages(programs: Path, folder: Path) -> list[str]:
    """Serve the portal, and return the language of its sign-in page for a German, and the type of its styles."""
    access, listen = secured(folder / "identities"), f"{HOST}:{free_port()}"
    at = dict.fromkeys(SERVICES, f"{HOST}:{free_port()}")  # nobody listens there, and signing in needs nobody
    settings = front_environment("portal", fronts={"portal": listen}, at=at, identity=access.identity)
    process = await asyncio.create_subprocess_exec(
        programs / "python", "-m", "services.portal", cwd=folder, env=settings
    )
    try:
        await until_answering("portal", listen)
        async with httpx.AsyncClient(base_url=f"http://{listen}", trust_env=False) as http:
            page = await http.get("/enter", headers={"accept-language": "de"})
            styles = await http.get("/static/portal.css")
    finally:
        process.terminate()
        assert await process.wait() == 0
    return [re.findall(r'<html lang="(\w+)"', page.text)[0], styles.headers["content-type"]]


@pytest.mark.parametrize("name", ["googleapis-common-protos", "grpcio", "grpcio-status", "protobuf"])
def test_the_client_requires_little(name: str) -> None:
    project = tomllib.loads((SOURCE_ROOT / "libs" / "pyproject.toml").read_text())["project"]

    assert len(project["dependencies"]) == 4
    assert any(one.startswith(f"{name}>=") for one in project["dependencies"])
