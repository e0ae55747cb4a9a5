# SPDX-License-Identifier: Apache-2.0
"""How a command ends. The statuses are a promise to scripts: libs/purser_cli/README.md, "Exit statuses"."""

import typer

DONE = 0
# It was done, and the answer is no: rejected lines, sums that differ, a catalog that is not as its file says.
NEGATIVE = 1
# Wrong words, options, files or fields, or work that could not be finished.
WRONG = 2
FAILED = WRONG
# A service refuses: what is named does not exist, exists already, or is in another state.
REFUSED = 3
# No token, one that is not accepted, or one that may not do this.
DENIED = 4
# A service or its database did not answer: the same command may succeed later.
RETRY = 5
INTERRUPTED = 130
# The reader of a pipe has closed it: 128 + SIGPIPE, as of other commands.
PIPE_CLOSED = 141


class Failed(Exception):
    """A command cannot do its work. In few lines that say what to do. status: the exit status."""

    def __init__(self, text: str, *, status: int = WRONG) -> None:
        super().__init__(text)
        self.status = status


def fail(text: str, *, status: int = WRONG) -> typer.Exit:
    """Write what is wrong to stderr, and return the exit to raise."""
    typer.echo(f"purser: {text}", err=True)
    return typer.Exit(status)
