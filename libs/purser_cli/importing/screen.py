# SPDX-License-Identifier: Apache-2.0
"""What an import shows: a progress bar while it runs, and a table at its end."""

from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from purser_cli.importing.journal import Counts
from purser_cli.importing.journal import Progress as Acknowledged


class ImportBar:
    """A bar that counts the bytes of acknowledged lines. On a terminal only."""

    def __init__(self, console: Console, *, total_bytes: int) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[lines]:,} lines"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("[yellow]{task.fields[trouble]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total_bytes, lines=0, trouble="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, acknowledged: Acknowledged, trouble: str) -> None:
        """Show the progress, and why there is none at the moment."""
        self._progress.update(
            self._task,
            completed=acknowledged.place.offset,
            lines=acknowledged.counts.lines,
            trouble=escape(f"waiting: {trouble}" if trouble else ""),
        )


def summary(counts: Counts, *, file: Path, seconds: float) -> Table:
    """Return the table at the end. seconds: since the command was started."""
    table = Table(title=escape(f"{file.name} in {seconds:.1f} s"), title_justify="left")
    table.add_column("lines")
    table.add_column("count", justify="right")
    for label, count in (
        ("accepted", counts.accepted),
        ("recorded before", counts.duplicate),
        ("  of these with another content", counts.differing),
        ("no metric matches", counts.no_match),
        ("no contract at their time", counts.no_contract),
        ("of unknown customers", counts.unattached),
        ("rejected", counts.rejected),
    ):
        table.add_row(label, f"{count:,}")
    table.add_section()
    table.add_row("all", f"{counts.lines:,}")
    return table
