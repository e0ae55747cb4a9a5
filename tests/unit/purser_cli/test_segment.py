# SPDX-License-Identifier: Apache-2.0
"""What one call sends, and up to which line its response settles the file."""

import json
import tracemalloc
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import pytest

from purser.ledger.v1 import usage_pb2 as pb
from purser_cli.importing.journal import Counts, Journal
from purser_cli.importing.lines import LINE_BYTES_MAX, SHOWN_BYTES_MAX, Place, read_lines
from purser_cli.importing.segment import (
    BYTES_PER_CHUNK_MAX,
    CHUNKS_MAX,
    EVENTS_PER_CHUNK_MAX,
    SECONDS_MAX,
    TEXT_MAX,
    Segment,
)

BAD = "{"


def a_file(lines: Iterable[str]) -> BytesIO:
    return BytesIO("".join(f"{line}\n" for line in lines).encode())


def an_event(number: int, *, size: int = 0) -> str:
    return json.dumps({"transaction_id": f"tx-{number}", "customer": "x" * size or "acme"})


def sizes(segment: Segment) -> list[int]:
    return [len(chunk.events) for chunk in segment.chunks()]


def test_a_chunk_has_1000_events() -> None:
    for count, expected in ((999, [999]), (1_000, [1_000]), (1_001, [1_000, 1])):
        assert sizes(Segment(a_file(map(an_event, range(count))), Place())) == expected


def test_a_chunk_is_sent_when_it_has_a_mebibyte() -> None:
    size = 100_000
    file = a_file(an_event(number, size=size) for number in range(25))

    chunks = list(Segment(file, Place()).chunks())

    assert [len(chunk.events) for chunk in chunks] == [11, 11, 3]
    assert all(chunk.ByteSize() < BYTES_PER_CHUNK_MAX + size + 1_000 for chunk in chunks)


def test_a_call_has_so_many_chunks_and_leaves_the_rest_to_the_next() -> None:
    file = a_file(map(an_event, range(3_500)))
    first = Segment(file, Place(), chunks_max=2)
    assert sizes(first) == [1_000, 1_000]
    end = first.acknowledged(pb.ImportUsageResponse(event_count=2_000)).end

    second = Segment(file, end, chunks_max=2)

    assert not first.is_last(end)
    assert sizes(second) == [1_000, 500]
    done = second.acknowledged(pb.ImportUsageResponse(event_count=1_500))
    assert (done.end, second.is_last(done.end)) == (Place(3_500, len(file.getvalue())), True)


def test_a_call_has_at_most_32000_lines_also_if_all_are_bad() -> None:
    file = a_file([BAD] * (CHUNKS_MAX * EVENTS_PER_CHUNK_MAX + 1))
    segment = Segment(file, Place())

    assert sizes(segment) == []
    done = segment.acknowledged(pb.ImportUsageResponse())
    assert (done.counts.rejected, segment.is_last(done.end)) == (CHUNKS_MAX * EVENTS_PER_CHUNK_MAX, False)


@pytest.mark.parametrize(("seconds_per_chunk", "chunks"), [(SECONDS_MAX / 2, 2), (SECONDS_MAX, 1)])
def test_a_call_ends_with_the_chunk_that_takes_it_past_its_time(
    seconds_per_chunk: float, chunks: int
) -> None:
    sent: list[pb.ImportUsageRequest] = []
    file = a_file(map(an_event, range(9_000)))
    segment = Segment(file, Place(), now=lambda: len(sent) * seconds_per_chunk)

    for chunk in segment.chunks():
        sent.append(chunk)

    assert len(sent) == chunks


def test_a_response_that_comes_early_settles_the_file_up_to_the_next_event() -> None:
    lines = [BAD, an_event(1), BAD, an_event(2), "", BAD, an_event(3), BAD]
    file = a_file(lines)
    segment = Segment(file, Place())
    assert sizes(segment) == [3]

    done = segment.acknowledged(pb.ImportUsageResponse(event_count=2, accepted_count=2))

    assert [one.number for one in done.rejected] == [1, 3, 6]
    assert done.counts == Counts(accepted=2, rejected=3)
    assert not segment.is_last(done.end)
    rest = Segment(file, done.end)
    assert [event.transaction_id for chunk in rest.chunks() for event in chunk.events] == ["tx-3"]
    last = rest.acknowledged(pb.ImportUsageResponse(event_count=1, accepted_count=1))
    assert [one.number for one in last.rejected] == [8]
    assert rest.is_last(last.end)


def test_rejected_lines_are_found_again_in_the_file() -> None:
    file = a_file([an_event(1), BAD, an_event(2), an_event(3)])
    segment = Segment(file, Place())
    assert sizes(segment) == [3]
    rejected = pb.UsageResult(
        event_status=pb.EVENT_STATUS_REJECTED,
        rejection_reason=pb.REJECTION_REASON_TOO_OLD,
        field="timestamp",
        detail="is too old",
    )
    differing = pb.UsageResult(event_status=pb.EVENT_STATUS_ACCEPTED, is_duplicate=True, differs=True)

    done = segment.acknowledged(
        pb.ImportUsageResponse(
            event_count=3,
            accepted_count=1,
            rejected_count=1,
            duplicate_count=1,
            problems=[
                pb.ImportProblem(event_index=1, result=rejected),
                pb.ImportProblem(event_index=2, result=differing),
            ],
        )
    )

    assert [(one.number, one.reason) for one in done.rejected] == [
        (2, "MALFORMED_JSON"),
        (3, "TOO_OLD"),
        (4, "DIFFERS"),
    ]
    found = [next(read_lines(file, one.start)).content.decode() for one in done.rejected]
    assert found == [BAD, an_event(2), an_event(3)]
    assert done.counts == Counts(accepted=1, rejected=2, duplicate=1, differing=1)
    assert done.counts.lines == 4


def test_rejected_lines_are_not_kept_in_memory_however_long_they_are(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    with path.open("wb") as writing:
        for _ in range(200):
            writing.write(b"x" * (LINE_BYTES_MAX - 1) + b"\n")
            writing.write(b"x" * (LINE_BYTES_MAX + 1) + b"\n")

    with path.open("rb") as file:
        journal = Journal(path, file)
        tracemalloc.start()
        segment = Segment(file, Place())
        assert sizes(segment) == []
        done = segment.acknowledged(pb.ImportUsageResponse())
        journal.advance(journal.begin(), place=done.end, counts=done.counts, rejected=done.rejected)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert done.counts.rejected == 400
    assert peak_bytes < 10_000_000
    lines = [json.loads(line) for line in journal.rejected_path.read_text().splitlines()]
    assert [len(line["content"]) for line in lines] == 200 * [LINE_BYTES_MAX - 1, SHOWN_BYTES_MAX]


def test_what_is_said_about_a_line_has_a_bound_and_can_be_written() -> None:
    file = a_file([an_event(1), '{"\\ud800": 1}'])
    segment = Segment(file, Place())
    assert sizes(segment) == [1]
    wordy = pb.UsageResult(event_status=pb.EVENT_STATUS_REJECTED, detail="x" * 9_000)

    rejected = segment.acknowledged(
        pb.ImportUsageResponse(
            event_count=1, rejected_count=1, problems=[pb.ImportProblem(event_index=0, result=wordy)]
        )
    ).rejected

    assert len(rejected[0].detail) == TEXT_MAX
    assert (rejected[1].reason, rejected[1].field) == ("UNKNOWN_KEY", "?")
