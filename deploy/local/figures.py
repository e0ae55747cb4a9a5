# SPDX-License-Identifier: Apache-2.0
"""What the story prints: chapters, tables, and figures that are compared with what the rules promise."""

from rich.console import Console
from rich.table import Table

from meshkit.quantity import MICROS

PROMISED = "[green]✓[/]"


def decimal(micros: int) -> str:
    """Format an amount: 493548387 → "493.548387", 400000000 → "400"."""
    whole, rest = divmod(abs(micros), MICROS)
    digits = f"{whole:,}" + (f".{rest:06d}".rstrip("0") if rest else "")
    return f"-{digits}" if micros < 0 else digits


def dollars(micros: int) -> str:
    """Format money to the cent: 91230000 → "91.23"."""
    return f"{micros // MICROS:,}.{micros % MICROS // 10_000:02d}"


class Figures:
    """Prints what happens, and records every figure that is not as promised."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._figures = 0
        self._wrong: list[str] = []

    def chapter(self, number: int, title: str, way: str) -> None:
        self._console.print(f"\n[bold]{number}. {title}[/]  [dim]{way}[/]", soft_wrap=True)

    def table(self, *columns: str) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        table.add_column("  " + columns[0], no_wrap=True)
        for column in columns[1:]:
            table.add_column(column)
        return table

    def figure(self, label: str, got: str, promised: str) -> None:
        self._figures += 1
        if got == promised:
            self._console.print(f"  {label:<44} [bold]{got}[/] {PROMISED}", soft_wrap=True)
        else:
            self._wrong.append(f"{label}: {got}, promised {promised}")
            self._console.print(f"  {label:<44} [bold red]{got}[/], promised {promised}", soft_wrap=True)

    def line(self, text: str) -> None:
        """Print a line that is no figure."""
        self._console.print(f"  {text}", soft_wrap=True)

    def show(self, table: Table) -> None:
        """Print a table."""
        self._console.print(table)

    def print_outcome(self) -> bool:
        """Print the outcome. Returns whether every figure was as promised."""
        if self._wrong:
            self._console.print(f"\n[bold red]{len(self._wrong)} of {self._figures} figures differ:[/]")
            for line in self._wrong:
                self._console.print(f"  [red]{line}[/]")
            return False
        self._console.print(f"\n[bold green]All {self._figures} figures are as promised.[/]")
        return True
