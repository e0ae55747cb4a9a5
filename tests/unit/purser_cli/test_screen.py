# SPDX-License-Identifier: Apache-2.0
"""The progress bar of an import: on a terminal, and nowhere else."""

from io import StringIO

from rich.console import Console

from purser_cli.importing.journal import Counts, Progress
from purser_cli.importing.lines import Place
from purser_cli.importing.screen import ImportBar

HALF = Progress(place=Place(1_500, 50), counts=Counts(accepted=1_000, rejected=500))


def shown(console: Console, output: StringIO, trouble: str) -> str:
    with ImportBar(console, total_bytes=100) as bar:
        bar.show(HALF, trouble)
    return output.getvalue()


def test_a_bar_shows_how_far_the_import_is_and_what_it_waits_for() -> None:
    output = StringIO()
    console = Console(file=output, force_terminal=True, color_system=None, width=120)

    text = shown(console, output, "the Ledger did not answer [away]")

    assert "1,500 lines" in text
    assert "50%" in text
    assert "waiting: the Ledger did not answer [away]" in text


def test_a_file_of_output_has_no_bar() -> None:
    output = StringIO()

    assert shown(Console(file=output), output, "") == ""
