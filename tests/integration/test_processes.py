# SPDX-License-Identifier: Apache-2.0
"""Contract and Ledger as an operator runs them: a failed start gives one line. (Catalog and Alert: see tests/rpc.)"""

import os
import subprocess
import sys

import pytest

from deploy.local.database import SOURCE_ROOT

NOWHERE = "postgresql://purser:secret@127.0.0.1:1/purser"


def _ended(service: str, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PURSER_")}
    own = {f"PURSER_{service.upper()}_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", f"services.{service}", command],
        cwd=SOURCE_ROOT,
        env={**inherited, "PURSER_INSECURE": "true", **own},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("service", ["contract", "ledger"])
def test_an_unavailable_database_gives_one_line(service: str) -> None:
    migrating = _ended(service, "migrate", database_url=NOWHERE)
    serving = _ended(service, "serve", database_url=NOWHERE, sandbox="true", listen="127.0.0.1:0")

    assert migrating.stderr == (
        f"{service}: the database is unavailable (ConnectionRefusedError: [Errno 111] Connection refused)\n"
    )
    assert serving.stderr.splitlines()[-1] == migrating.stderr.rstrip()
    assert migrating.returncode == serving.returncode == 1
    assert "Traceback" not in serving.stderr
    assert "secret" not in serving.stdout + serving.stderr


@pytest.mark.parametrize("service", ["contract", "ledger"])
def test_all_bad_settings_are_reported_together(service: str) -> None:
    ended = _ended(service, "serve", sandbox="perhaps", sandbox_start_time="2025-06-01")

    assert ended.returncode == 2
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == [
        f"PURSER_{service.upper()}_{name}" for name in ("DATABASE_URL", "SANDBOX", "SANDBOX_START_TIME")
    ]
