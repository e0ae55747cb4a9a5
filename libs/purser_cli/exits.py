# SPDX-License-Identifier: Apache-2.0
"""How a command ends that could not do its work."""

import typer

FAILED = 2


def fail(text: str) -> typer.Exit:
    """Write what is wrong to stderr, in one line, and return the exit to raise."""
    typer.echo(f"purser: {text}", err=True)
    return typer.Exit(FAILED)
