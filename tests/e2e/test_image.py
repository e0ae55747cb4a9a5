# SPDX-License-Identifier: Apache-2.0
"""The steps of the image's Dockerfile, carried out in a plain folder: a service is migrated and served from there.

`make image-check`. As root, the service runs as the user of the image; otherwise as whoever runs the test. Either way
it cannot write to the folder.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local.database import SOURCE_ROOT
from deploy.local.ports import HOST, free_port
from meshkit.rpc.health import LIVENESS, READINESS
from tests.support.dockerfile import Stage, build
from tests.support.health import SERVING, health_of
from tests.support.mesh import secured, until
from tests.support.postgres import Databases

SECONDS_MAX = 600  # without a cache of packages, they are loaded first
IS_ROOT = os.getuid() == 0
PDF = "from weasyprint import HTML; print(HTML(string='<p>42 ✓').write_pdf()[:5])"

pytestmark = [
    # It installs some 80 packages; the suite compares their versions with those that it runs with.
    pytest.mark.skipif(
        "PURSER_IMAGE_CHECK" not in os.environ, reason="`make image-check` builds and runs it"
    ),
    pytest.mark.timeout(SECONDS_MAX),
]


def _everybodys_python() -> Path:
    """Return a Python 3.11+ that the user of the image may run too."""
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        for folder in ("/usr/local/bin", "/usr/bin", str(Path(sys.executable).resolve().parent)):
            found = shutil.which(name, path=folder)
            if found and (not IS_ROOT or not Path(found).resolve().is_relative_to("/root")):
                return Path(found)
    pytest.skip("no Python 3.11+ that other users may run: install one in /usr/bin or /usr/local/bin")


@pytest.fixture(scope="module")
def image() -> Iterator[Stage]:
    """The image's last stage in a folder that everybody may read and nobody may write to."""
    folder = Path(tempfile.mkdtemp(prefix="purser-image-"))
    folder.chmod(0o755)
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec {_everybodys_python()} "$@"\n')
    (programs / "python").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    try:
        stage = build(
            SOURCE_ROOT / "deploy/image/Dockerfile",
            context=SOURCE_ROOT,
            folder=folder,
            environment=environment,
        )
        subprocess.run(["chmod", "-R", "a+rX,a-w", stage.root], check=True)
        yield stage
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        shutil.rmtree(folder)


def _as_in_the_image(stage: Stage) -> dict[str, Any]:
    """Return the options of a process with the image's user, folder and variables."""
    user, _, group = stage.user.partition(":")
    credentials = {"user": int(user), "group": int(group), "extra_groups": []} if IS_ROOT else {}
    return {"cwd": stage.outside("."), "env": stage.environment, **credentials}


def _output(stage: Stage, *arguments: str, **settings: str) -> str:
    options = _as_in_the_image(stage)
    done = subprocess.run(
        ["python", *arguments],
        **(options | {"env": options["env"] | settings}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_nothing_of_it_can_be_written_and_no_installer_is_left(image: Stage) -> None:
    folder = str(image.outside("."))

    said = _output(
        image,
        "-c",
        f"import os, importlib.util as i; print(os.access({folder!r}, os.W_OK), i.find_spec('pip'))",
    )

    assert said.split() == (["False", "None"])
    assert [text.split()[0] for text in image.left_out] == ["apt-get"]  # all that is not checked here


def test_its_packages_fit_together_and_make_a_pdf(image: Stage) -> None:
    python = f"{image.environment['PREFIX']}/bin/python"

    subprocess.run([sys.executable, "-m", "pip", "--python", python, "check"], check=True)

    assert "%PDF-" in _output(image, "-c", PDF)


def test_it_writes_the_configuration_of_envoy(image: Stage) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)

        _output(image, "-m", "deploy.envoy", folder)

        assert (Path(folder) / "envoy.yaml").stat().st_size > 1_000
        assert (Path(folder) / "purser.pb").exists()


@pytest.mark.parametrize("front", ["portal", "edge"])
def test_fronts_say_which_settings_they_need(image: Stage, front: str) -> None:
    options = _as_in_the_image(image)

    done = subprocess.run(
        [*image.entrypoint, f"services.{front}"], **options, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert f"PURSER_{front.upper()}_CA_FILE: is not set" in done.stderr


async def test_a_service_migrates_its_schema_and_serves_from_it(
    image: Stage, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await _forget_the_schema(databases, "ledger")
    identity = Path(tempfile.mkdtemp(prefix="purser-identity-"))
    health = f"{HOST}:{free_port()}"
    settings = {
        "DATABASE_URL": databases.url("ledger"),
        "LISTEN": f"{HOST}:0",
        "PEER_LISTEN": f"{HOST}:0",
        "HEALTH_LISTEN": health,
        **secured(identity).identity.settings("ledger"),
    }
    variables = {f"PURSER_LEDGER_{name}": value for name, value in settings.items()}
    subprocess.run(["chmod", "-R", "a+rX", identity], check=True)

    owner = {"PURSER_LEDGER_MIGRATION_DATABASE_URL": databases.owner_url("ledger")}
    assert "schema_migrated" in _output(image, "-m", "services.ledger", "migrate", **variables, **owner)

    options = _as_in_the_image(image)
    process = await asyncio.create_subprocess_exec(
        *image.entrypoint, "services.ledger", **(options | {"env": options["env"] | variables})
    )
    try:
        await until(lambda: health_of(health, READINESS), lambda status: status == SERVING)
        assert await health_of(health, LIVENESS) == SERVING
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        shutil.rmtree(identity)


async def _forget_the_schema(databases: Databases, service: str) -> None:
    """Leave what an administrator leaves: the roles, and an empty schema."""
    owner = databases.owner_url(service).partition("//")[2].partition(":")[0]
    admin = await asyncpg.connect(databases.admin_url)
    try:
        await admin.execute(f'DROP SCHEMA "{service}" CASCADE')
        await admin.execute(f'CREATE SCHEMA "{service}" AUTHORIZATION "{owner}"')
    finally:
        await admin.close()


def test_the_bill_of_materials_is_the_same_each_time(tmp_path: Path) -> None:
    bills = [tmp_path / "one.json", tmp_path / "two.json"]

    for bill in bills:
        subprocess.run(["make", "--silent", "sbom", f"SBOM={bill}"], cwd=SOURCE_ROOT, check=True)

    assert bills[0].read_bytes() == bills[1].read_bytes()
