# SPDX-License-Identifier: Apache-2.0
"""One suite for both spools; for the file also crashes, torn lines and a second owner."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import Credits, FileSpool, MemorySpool, Quantity, Spool, SpoolBroken
from purser_client.file_spool import DEAD_LINES_MAX

AT = datetime(2025, 6, 1, 12, 0, 0, 1, tzinfo=UTC)


def a_debit(request_id: str = "req-1", **more: object) -> pb.DebitRequest:
    fields: dict[str, object] = {
        "customer": "acme",
        "product_id": "prd_assistant",
        "quantity_micros": 1_500_000,
        "group_values": {"user_id": "zoë\n"},
    }
    return pb.DebitRequest(request_id=request_id, **(fields | more))  # type: ignore[arg-type]


def a_capture(request_id: str = "req-2") -> pb.CaptureRequest:
    return pb.CaptureRequest(request_id=request_id, customer="acme", hold_id="hld_1")


@contextmanager
def room_for(length: int) -> Iterator[None]:
    """Limit the files of this process to `length` bytes: a write across it is cut short, the next refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.spool"


@pytest.fixture(params=["file", "memory"])
def spool(request: pytest.FixtureRequest, path: Path) -> Iterator[Spool]:
    made: Spool = FileSpool(path, records_max=3) if request.param == "file" else MemorySpool(records_max=3)
    made.open()
    yield made
    made.close()


def test_added_usage_is_pending_oldest_first(spool: Spool) -> None:
    spool.add(a_debit(), at=AT)
    spool.add(a_capture(), at=AT + timedelta(seconds=1))

    pending = spool.pending()

    assert [record.request for record in pending] == [a_debit(), a_capture()]
    assert [record.recorded_time for record in pending] == [AT, AT + timedelta(seconds=1)]
    assert (len(spool), spool.pending_count(), spool.unbilled()) == (2, 2, ())


def test_billed_usage_is_removed(spool: Spool) -> None:
    spool.add(a_debit(), at=AT)

    spool.mark_billed(spool.pending()[0].number)

    assert (len(spool), spool.pending()) == (0, ())


def test_refused_usage_stays_listed(spool: Spool) -> None:
    spool.add(a_debit(), at=AT)
    spool.add(a_capture(), at=AT)
    debit, capture = spool.pending()

    first = spool.mark_unbilled(debit.number, "INSUFFICIENT_CREDITS")
    second = spool.mark_unbilled(capture.number, "HOLD_NOT_FOUND")

    assert spool.unbilled() == (first, second)
    assert (len(spool), spool.pending_count()) == (2, 0)
    assert (first.request_id, first.customer, first.product_id, first.hold_id) == (
        *("req-1", "acme", "prd_assistant", ""),
    )
    assert (first.reason, first.amount, first.recorded_time) == (
        *("INSUFFICIENT_CREDITS", Quantity.of("1.5"), AT),
    )
    assert (second.request_id, second.product_id, second.hold_id, second.amount) == (
        "req-2",
        "",
        "hld_1",
        None,
    )


def test_an_amount_in_credits_stays_in_credits(spool: Spool) -> None:
    spool.add(a_debit(credits_micros=7), at=AT)

    assert spool.mark_unbilled(spool.pending()[0].number, "X").amount == Credits(7)


def test_refused_usage_may_be_retried_or_forgiven(spool: Spool) -> None:
    spool.add(a_debit(), at=AT)
    spool.add(a_capture(), at=AT)
    for record in spool.pending():
        spool.mark_unbilled(record.number, "NOT_ENTITLED")
    again, forgiven = spool.unbilled()

    spool.retry(again.number)
    spool.forgive(forgiven.number)

    assert [record.request for record in spool.pending()] == [a_debit()]
    assert spool.unbilled() == ()


def test_pending_usage_cannot_be_forgiven_and_unknown_usage_cannot_be_retried(spool: Spool) -> None:
    spool.add(a_debit(), at=AT)

    spool.forgive(spool.pending()[0].number)
    spool.retry(99)

    assert spool.pending_count() == 1


def test_usage_is_recorded_even_without_reserved_space(spool: Spool) -> None:
    for number in range(5):
        spool.add(a_debit(f"req-{number}"), at=AT)

    assert len(spool) == 5 > spool.records_max


class TestFile:
    def test_all_records_survive_a_crash(self, path: Path) -> None:
        spool = FileSpool(path)
        spool.open()
        for number in range(4):
            spool.add(a_debit(f"req-{number}"), at=AT)
        billed, refused, forgiven, _ = spool.pending()
        spool.mark_billed(billed.number)
        unbilled = spool.mark_unbilled(refused.number, "NOT_ENTITLED")
        spool.mark_unbilled(forgiven.number, "NOT_ENTITLED")
        spool.forgive(forgiven.number)
        spool.close()  # releases the lock as a crash does, and writes nothing

        again = FileSpool(path)
        again.open()

        assert [record.request.request_id for record in again.pending()] == ["req-3"]
        assert again.pending()[0].recorded_time == AT
        assert again.unbilled() == (unbilled,)
        again.close()

    def test_a_record_is_in_the_file_when_add_returns(self, path: Path) -> None:
        spool = FileSpool(path)
        spool.open()

        spool.add(a_debit(), at=AT)

        line = json.loads(path.read_text())
        assert (line["rpc"], line["recorded_time"]) == ("Debit", AT.isoformat())
        assert line["request"]["group_values"] == {"user_id": "zoë\n"}
        spool.close()

    @pytest.mark.parametrize("kept", [1, 40, -1])
    def test_a_line_torn_by_a_crash_is_dropped_since_add_had_not_returned(
        self, path: Path, kept: int
    ) -> None:
        spool = FileSpool(path)
        spool.open()
        spool.add(a_debit("req-1"), at=AT)
        whole = path.read_bytes()
        spool.add(a_debit("req-2"), at=AT)
        torn = path.read_bytes()[len(whole) :][:kept]
        spool.close()
        path.write_bytes(whole + torn)

        again = FileSpool(path)
        again.open()
        again.add(a_debit("req-3"), at=AT)

        assert [record.request.request_id for record in again.pending()] == ["req-1", "req-3"]
        assert path.read_bytes().startswith(whole)
        again.close()

    @pytest.mark.parametrize(
        "line",
        [
            b"\x00\x00\x00",
            b'{"number": 1}',
            b'{"number": 1, "outcome": "PAID"}',
            b'{"number": 7, "outcome": "UNBILLED", "reason": "X"}',
            b'{"number": 1, "rpc": "Debit", "recorded_time": "2025-06-01T00:00:00+00:00", "request": {"x": 1}}',
        ],
    )
    def test_a_complete_but_unreadable_line_is_an_error(self, path: Path, line: bytes) -> None:
        path.write_bytes(line + b"\n")

        with pytest.raises(SpoolBroken, match=r"(?s)usage.spool:1 cannot be read .* repair it by hand"):
            FileSpool(path).open()
        assert path.read_bytes() == line + b"\n"

    def test_a_file_has_one_owner(self, path: Path) -> None:
        owner, other = FileSpool(path), FileSpool(path)
        owner.open()

        with pytest.raises(SpoolBroken, match="another gate's spool; give each process its own file"):
            other.open()
        owner.close()
        other.open()
        other.close()

    def test_a_missing_folder_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(SpoolBroken, match="cannot be opened"):
            FileSpool(tmp_path / "nowhere" / "usage.spool").open()

    def test_only_its_owner_may_read_the_file(self, path: Path) -> None:
        spool = FileSpool(path)
        spool.open()

        assert path.stat().st_mode & 0o777 == 0o600
        spool.close()

    def test_the_file_does_not_grow_with_billed_records(self, path: Path) -> None:
        spool = FileSpool(path)
        spool.open()
        spool.add(a_debit("stays"), at=AT)
        number = spool.pending()[0].number

        for _ in range(DEAD_LINES_MAX):
            spool.mark_unbilled(number, "NOT_ENTITLED")
            spool.retry(number)

        assert len(path.read_bytes().splitlines()) < DEAD_LINES_MAX + 10
        assert [record.request.request_id for record in spool.pending()] == ["stays"]
        spool.close()

    def test_a_full_disk_is_reported_and_leaves_the_file_intact(self, path: Path) -> None:
        spool = FileSpool(path)
        spool.open()
        spool.add(a_debit("req-1"), at=AT)
        whole = path.read_bytes()

        with room_for(len(whole) + 10), pytest.raises(SpoolBroken, match="cannot be written"):
            spool.add(a_debit("req-2"), at=AT)

        assert path.read_bytes() == whole
        spool.add(a_debit("req-3"), at=AT)
        assert [record.request.request_id for record in spool.pending()] == ["req-1", "req-3"]
        spool.close()

    def test_a_closed_spool_refuses_records(self, path: Path) -> None:
        with pytest.raises(SpoolBroken, match="is not open"):
            FileSpool(path).add(a_debit(), at=AT)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        steps=st.lists(
            st.tuples(st.sampled_from(["add", "billed", "refused", "retry", "forgive"]), st.integers(0, 5)),
            max_size=25,
        ),
        cut=st.floats(0, 1),
    )
    def test_a_crash_at_any_byte_loses_no_added_record_and_invents_none(
        self, path: Path, steps: list[tuple[str, int]], cut: float
    ) -> None:
        path.unlink(missing_ok=True)
        spool = FileSpool(path)
        spool.open()
        states = [(0, _state(spool))]  # the spool's state, and the length of its file at that time
        promised = 0
        for step, number in steps:
            _carry_out(spool, step, number)
            states.append((path.stat().st_size, _state(spool)))
            promised = states[-1][0] if step == "add" else promised
        spool.close()

        whole = path.read_bytes()
        kept = promised + round(cut * (len(whole) - promised))
        path.write_bytes(whole[:kept])
        again = FileSpool(path)
        again.open()

        assert _state(again) == next(state for length, state in reversed(states) if length <= kept)
        again.close()


def _state(spool: Spool) -> tuple[list[str], list[tuple[str, str]]]:
    pending = [record.request.request_id for record in spool.pending()]
    return pending, [(unbilled.request_id, unbilled.reason) for unbilled in spool.unbilled()]


def _carry_out(spool: Spool, step: str, number: int) -> None:
    """Apply the action to one of the records that allow it, if there is one."""
    pending, unbilled = spool.pending(), spool.unbilled()
    match step:
        case "add":
            spool.add(a_debit(f"req-{len(pending)}-{number}"), at=AT)
        case "billed" if pending:
            spool.mark_billed(pending[number % len(pending)].number)
        case "refused" if pending:
            spool.mark_unbilled(pending[number % len(pending)].number, f"REASON_{number}")
        case "retry" if unbilled:
            spool.retry(unbilled[number % len(unbilled)].number)
        case "forgive" if unbilled:
            spool.forgive(unbilled[number % len(unbilled)].number)


def test_an_in_memory_spool_logs_what_it_loses_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    spool = MemorySpool()
    spool.open()
    spool.add(a_debit("req-lost"), at=AT)

    spool.close()

    assert "never reported" in caplog.text
    assert "req-lost" in caplog.text
