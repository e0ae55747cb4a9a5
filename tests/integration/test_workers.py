# SPDX-License-Identifier: Apache-2.0
"""Several workers on one server: what they share, and what they leave on it."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from deploy.local.database import SOURCE_ROOT
from tests.support.postgres import PostgresServer

OPTIONS = ("-c", "pyproject.toml", "-n2", "--dist=worksteal", "--max-worker-restart=0")
CONFTEST = "from tests.conftest import databases, postgres_server, pytest_configure"
SUITE = """
import os
from pathlib import Path

import pytest

@pytest.fixture(autouse=True)
def _note(databases):
    with Path(__file__).with_suffix(".notes").open("a") as notes:
        notes.write(f"{databases.name} {os.environ['PYTEST_XDIST_WORKER']}\\n")

def test_one(): pass
def test_two_takes_its_worker_down(): os._exit(1)
"""
LEFT = """
    SELECT datname FROM pg_database WHERE starts_with(datname, $1)
    UNION SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)
"""


async def test_workers_share_a_template_and_leave_nothing_behind_even_when_one_crashes(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_suite.py").write_text(SUITE)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, str(tmp_path)],
        cwd=SOURCE_ROOT,
        env={**os.environ, "PURSER_DATABASE_URL": postgres_server.admin_url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    notes = [line.split() for line in (tmp_path / "test_suite.notes").read_text().splitlines()]
    assert len({name for name, _ in notes}) == 2
    assert all(f"_{worker}_" in name for name, worker in notes)
    [template] = {name.partition("_gw")[0] for name, _ in notes}
    server = await asyncpg.connect(postgres_server.admin_url)
    try:
        assert await server.fetch(LEFT, template) == []
    finally:
        await server.close()
