# SPDX-License-Identifier: Apache-2.0
"""`purser`, also `python -m purser_cli`."""

import os
import signal
import sys
import time
import uuid
from pathlib import Path

from meshkit.clock import SystemClock
from purser_cli import app
from purser_cli.session.surroundings import Surroundings


def main() -> None:
    """Run the command line of this process."""
    # gRPC reports to stderr what the calls report already.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if hasattr(signal, "SIGPIPE"):
        # A reader that closes its pipe, such as head, ends the command without an error.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    completed = os.environ.get("COMP_WORDS", "") + os.environ.get("_TYPER_COMPLETE_ARGS", "")
    surroundings = Surroundings(
        variables=os.environ,
        home=Path.home(),
        clock=SystemClock(),
        new_id=lambda: str(uuid.uuid4()),
        pause=time.sleep,
        words=sys.argv[1:] + completed.split(),
    )
    sys.exit(app.run(surroundings))


if __name__ == "__main__":
    main()
