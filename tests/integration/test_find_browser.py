# SPDX-License-Identifier: Apache-2.0
"""`make browser` names a browser that runs, or says in one line how to get one."""

import os
import subprocess
from pathlib import Path

import pytest

from deploy.local.database import SOURCE_ROOT

RUNS, FAILS = "#!/bin/sh\necho Chromium 1", "#!/bin/sh\nexit 1"
HOW = "purser: no browser; run `make browser`, install chromium"


def _program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def _find(path: Path, **environment: str) -> tuple[int, str, str]:
    """Search with the programs in the folder `path` only, without Playwright; returns exit code, output and errors."""
    for needed in ("sh", "id"):
        (path / needed).symlink_to(
            f"/bin/{needed}" if Path(f"/bin/{needed}").exists() else f"/usr/bin/{needed}"
        )
    done = subprocess.run(
        [path / "sh", SOURCE_ROOT / "deploy/local/find-browser.sh", path / "no-python"],
        env={
            **{name: value for name, value in os.environ.items() if name != "PURSER_CHROMIUM"},
            "PATH": str(path),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
def test_a_browser_on_the_path_is_found(tmp_path: Path, name: str) -> None:
    program = _program(tmp_path / name, RUNS)

    assert _find(tmp_path) == (0, str(program), "")


def test_one_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    _program(tmp_path / "chromium", FAILS)
    program = _program(tmp_path / "google-chrome", RUNS)

    assert _find(tmp_path) == (0, str(program), "")


def test_the_named_one_comes_first(tmp_path: Path) -> None:
    _program(tmp_path / "chromium", RUNS)
    named = _program(tmp_path / "named", RUNS)

    assert _find(tmp_path, PURSER_CHROMIUM=str(named)) == (0, str(named), "")


def test_a_named_one_that_does_not_run_is_reported_and_not_replaced(tmp_path: Path) -> None:
    _program(tmp_path / "chromium", RUNS)
    named = _program(tmp_path / "named", FAILS)

    code, output, error = _find(tmp_path, PURSER_CHROMIUM=str(named))

    assert (code, output) == (3, "")
    assert (
        error
        == f"purser: PURSER_CHROMIUM={named} does not run; correct it, or unset it to search for a browser"
    )


def test_without_a_browser_one_line_says_how_to_get_one(tmp_path: Path) -> None:
    _program(tmp_path / "chromium", FAILS)

    code, output, error = _find(tmp_path)

    assert (code, output) == (3, "")
    assert error.startswith(HOW)
    assert len(error.splitlines()) == 1
