# SPDX-License-Identifier: Apache-2.0
"""Prints what a lock must contain: the requirements of both distributions and of the extras that are named, or of all.

`python deploy/local/requirements.py [EXTRA…]`
"""

import sys
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = (ROOT / "pyproject.toml", ROOT / "libs" / "pyproject.toml")
OURS = "purser-client"


def requirements(named: Collection[str] = ()) -> Iterator[str]:
    """Yield the requirements as the projects state them, except for the distribution that is built here.

    named: the extras; empty: all.
    """
    for project in PROJECTS:
        stated = tomllib.loads(project.read_text())["project"]
        extras = stated.get("optional-dependencies", {})
        chosen = [one for extra in extras if not named or extra in named for one in extras[extra]]
        for requirement in [*stated["dependencies"], *chosen]:
            if not requirement.startswith(f"{OURS}=="):
                yield requirement


if __name__ == "__main__":
    print(*requirements(sys.argv[1:]), sep="\n")
