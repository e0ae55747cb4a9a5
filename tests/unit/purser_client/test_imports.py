# SPDX-License-Identifier: Apache-2.0
"""Importing the library drags no server, no database and no logging framework into somebody's process."""

import subprocess
import sys

import purser_client

NOT_ITS_BUSINESS = {
    *("sqlalchemy", "asyncpg", "alembic", "structlog", "pydantic", "pydantic_settings", "prometheus_client"),
    *("uvloop", "httpx", "typer", "rich", "stripe", "pgqueuer", "services", "sandbox", "deploy", "tests"),
}
CODE = "import sys, purser_client; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def test_importing_it_imports_nothing_it_has_no_business_with() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)

    imported = set(done.stdout.split())
    assert {"purser_client", "grpc", "meshkit", "purser"} <= imported
    assert imported & NOT_ITS_BUSINESS == set()
    assert done.stderr == ""


def test_all_that_is_public_is_there() -> None:
    assert [name for name in purser_client.__all__ if not hasattr(purser_client, name)] == []
