# SPDX-License-Identifier: Apache-2.0
"""The journal of an import: it goes on where it stopped, and only in a file that begins with the same lines."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from purser_cli.importing.journal import Counts, ImportInUse, Journal, Progress, RejectedLine
from purser_cli.importing.lines import Place


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "usage.jsonl"
    path.write_text("one\ntwo\nthree\n")
    return path


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    with path.open("rb") as file:
        yield Journal(path, file)


def a_line(number: int) -> RejectedLine:
    """The line of this number in the file: one, two or three."""
    offset = {1: 0, 2: 4, 3: 8}[number]
    return RejectedLine(start=Place(number - 1, offset), reason="UNKNOWN_KEY", field="x", detail="is unknown")


def import_two_lines(path: Path) -> Progress:
    with open_journal(path) as journal:
        first = journal.advance(
            journal.begin(), place=Place(1, 4), counts=Counts(rejected=1), rejected=[a_line(1)]
        )
        return journal.advance(first, place=Place(2, 8), counts=Counts(accepted=1), rejected=[])


def test_an_import_goes_on_where_it_stopped(path: Path) -> None:
    stopped_at = import_two_lines(path)

    with open_journal(path) as journal:
        assert journal.begin() == stopped_at
        after = journal.advance(
            stopped_at, place=Place(3, 14), counts=Counts(rejected=1), rejected=[a_line(3)]
        )

    assert after.counts == Counts(accepted=1, rejected=2)
    rejected = path.with_name("usage.rejected.jsonl").read_text().splitlines()
    told = {"reason": "UNKNOWN_KEY", "field": "x", "detail": "is unknown"}
    assert [json.loads(line) for line in rejected] == [
        {"line": 1, **told, "content": "one"},
        {"line": 3, **told, "content": "three"},
    ]


def test_rejected_lines_that_were_written_and_not_acknowledged_are_taken_back(path: Path) -> None:
    stopped_at = import_two_lines(path)
    rejected = path.with_name("usage.rejected.jsonl")
    acknowledged = rejected.read_bytes()
    rejected.write_bytes(acknowledged + b'{"line": 3, ')

    with open_journal(path) as journal:
        assert journal.begin() == stopped_at

    assert rejected.read_bytes() == acknowledged


@pytest.mark.parametrize("content", ["one\nTWO\nthree\n", "one\n", ""])
def test_a_file_whose_imported_lines_have_changed_is_imported_from_its_start(
    path: Path, content: str
) -> None:
    import_two_lines(path)
    path.write_text(content)

    with open_journal(path) as journal:
        assert journal.begin() == Progress()

    assert not path.with_name("usage.rejected.jsonl").exists()


def test_lines_that_follow_may_change(path: Path) -> None:
    stopped_at = import_two_lines(path)
    path.write_text("one\ntwo\n3\nfour\n")

    with open_journal(path) as journal:
        assert journal.begin() == stopped_at


@pytest.mark.parametrize("stored", ["", "{", "[]", '{"version": 2}', '{"version": 1, "place": 7}'])
def test_an_unreadable_journal_means_from_the_start(path: Path, stored: str) -> None:
    path.with_name("usage.progress.json").write_text(stored)

    with open_journal(path) as journal:
        assert journal.begin() == Progress()


def test_without_its_rejected_lines_an_import_begins_again(path: Path) -> None:
    import_two_lines(path)
    path.with_name("usage.rejected.jsonl").unlink()

    with open_journal(path) as journal:
        assert journal.begin() == Progress()


def test_a_finished_import_begins_again_from_the_start(path: Path) -> None:
    import_two_lines(path)
    with open_journal(path) as journal:
        journal.begin()
        journal.finish()

    with open_journal(path) as journal:
        assert journal.begin() == Progress()


def test_a_file_is_imported_by_one_process_at_a_time(path: Path) -> None:
    with open_journal(path), path.open("rb") as again, pytest.raises(ImportInUse):
        Journal(path, again)

    with open_journal(path) as journal:
        assert journal.begin() == Progress()


def test_the_files_beside_it_are_named_after_the_file(tmp_path: Path) -> None:
    path = tmp_path / "may.ndjson"
    path.touch()

    with open_journal(path) as journal:
        assert journal.rejected_path.name == "may.ndjson.rejected.jsonl"
