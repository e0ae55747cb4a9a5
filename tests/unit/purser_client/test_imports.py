# SPDX-License-Identifier: Apache-2.0
"""Importing the library imports no server, no database driver and no logging framework."""

import subprocess
import sys

import purser_client

NOT_ITS_BUSINESS = {
    *("sqlalchemy", "asyncpg", "alembic", "structlog", "pydantic", "pydantic_settings", "prometheus_client"),
    *("uvloop", "httpx", "typer", "rich", "stripe", "pgqueuer", "services", "sandbox", "deploy", "tests"),
}
CODE = "import sys, purser_client; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def test_importing_the_library_imports_nothing_it_does_not_need() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)

    imported = set(done.stdout.split())
    assert {"purser_client", "grpc", "meshkit", "purser"} <= imported
    assert imported & NOT_ITS_BUSINESS == set()
    assert done.stderr == ""


def test_every_public_name_exists() -> None:
    assert [name for name in purser_client.__all__ if not hasattr(purser_client, name)] == []
