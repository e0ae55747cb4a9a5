# SPDX-License-Identifier: Apache-2.0
"""Prints what deploy/requirements.lock must contain: the requirements of both distributions and of every extra."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = (ROOT / "pyproject.toml", ROOT / "libs" / "pyproject.toml")
OURS = "purser-client"


def requirements() -> Iterator[str]:
    """Yield the requirements as the projects state them, except for the distribution that is built here."""
    for project in PROJECTS:
        stated = tomllib.loads(project.read_text())["project"]
        extras = stated.get("optional-dependencies", {}).values()
        for requirement in [*stated["dependencies"], *(one for extra in extras for one in extra)]:
            if not requirement.startswith(f"{OURS}=="):
                yield requirement


if __name__ == "__main__":
    print(*requirements(), sep="\n")
