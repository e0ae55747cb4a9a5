# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from deploy.local.database import SOURCE_ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run() -> Run:
    """Run Python with these arguments, as the Makefile does."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=SOURCE_ROOT,
            env={**os.environ, "COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def demo(run: Run) -> subprocess.CompletedProcess[str]:
    """One run of `make demo`, shared by all tests that check it."""
    return run("-m", "deploy.local", "demo")
