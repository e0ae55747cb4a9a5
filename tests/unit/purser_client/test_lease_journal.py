# SPDX-License-Identifier: Apache-2.0
"""The journal of the uses of leases, as the next process finds it."""

from pathlib import Path

import pytest

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import SpoolBroken
from purser_client.leases.journal import UseJournal, left_files, left_uses
from purser_client.leases.lease import USES_MAX, Use


def a_use(number: int) -> Use:
    return Use(f"req_{number:032x}", 0, 1, {"user_id": "ann"}, 1_000_000, 1)


def journal_of(path: Path, uses: int, lease_id: str = "lse_1") -> UseJournal:
    journal = UseJournal(path)
    for number in range(uses):
        journal.write("acme", lease_id, a_use(number))
    return journal


def ids_of(report: pb.SettleLeaseRequest) -> list[str]:
    return [use.request_id for use in report.uses]


def test_uses_that_nobody_has_recorded_are_reported_by_the_next_process(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "uses", 3)
    journal.done([a_use(1)])
    journal.close()

    (report,) = left_uses(tmp_path / "uses")

    assert (report.customer, report.lease_id) == ("acme", "lse_1")
    # One that is recorded is told again: the Ledger knows its request_id.
    assert ids_of(report) == [a_use(number).request_id for number in range(3)]


def test_a_journal_whose_uses_are_all_recorded_leaves_no_file(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "uses", 3)
    journal.done([a_use(number) for number in range(3)])
    journal.close()

    assert list(tmp_path.iterdir()) == []


def test_a_report_has_at_most_a_thousand_uses_of_one_lease(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "uses", USES_MAX + 1)
    journal.write("acme", "lse_2", a_use(USES_MAX + 1))
    journal.close()

    reports = list(left_uses(tmp_path / "uses"))

    assert [(report.lease_id, len(report.uses)) for report in reports] == [
        ("lse_1", USES_MAX),
        ("lse_1", 1),
        ("lse_2", 1),
    ]
    assert len({report.request_id for report in reports}) == 3


def test_a_line_whose_write_never_finished_is_dropped(tmp_path: Path) -> None:
    journal_of(tmp_path / "uses", 2).close()
    (file,) = left_files(tmp_path / "uses")
    file.write_bytes(file.read_bytes()[:-1])

    (report,) = left_uses(tmp_path / "uses")

    assert ids_of(report) == [a_use(0).request_id]


def test_a_damaged_line_is_reported_with_its_place(tmp_path: Path) -> None:
    journal_of(tmp_path / "uses", 2).close()
    (file,) = left_files(tmp_path / "uses")
    file.write_bytes(file.read_bytes().replace(b'["acme"', b'x"acme"', 1))

    with pytest.raises(SpoolBroken, match=r"uses\.1:1 cannot be read"):
        list(left_uses(tmp_path / "uses"))


def test_files_of_another_name_are_not_of_the_journal(tmp_path: Path) -> None:
    for name in ("uses", "uses.1.bak", "uses.x", "my.uses.1"):
        (tmp_path / name).touch()

    assert left_files(tmp_path / "uses") == []
    assert left_files(tmp_path / "missing" / "uses") == []
