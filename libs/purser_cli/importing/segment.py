# SPDX-License-Identifier: Apache-2.0
"""The lines that one call of ImportUsage sends: which events they are, and where they stand in the file."""

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from purser.ledger.v1 import usage_pb2 as pb
from purser_cli.importing.events import LineRejected, event_from_line
from purser_cli.importing.journal import Counts, RejectedLine
from purser_cli.importing.lines import Line, Place, read_lines

EVENTS_PER_CHUNK_MAX = 1_000
# A message may have 4 MiB.
BYTES_PER_CHUNK_MAX = 1 << 20
CHUNKS_MAX = 32
LINES_MAX = EVENTS_PER_CHUNK_MAX * CHUNKS_MAX
# A call ends after so long, so that its lines are acknowledged: that is what the progress bar shows.
SECONDS_MAX = 2.0
# Characters of what is wrong with a line; the line itself is beside it.
TEXT_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What a call came to. end: the place after the last line that is done."""

    end: Place
    counts: Counts
    rejected: tuple[RejectedLine, ...]


class Segment:
    """Reads lines and makes chunks of them. Of events that were sent it keeps only the places.

    chunks_max: the call has no more. now: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        file: BinaryIO,
        start: Place,
        *,
        chunks_max: int = CHUNKS_MAX,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._start = start
        self._chunks_max = chunks_max
        self._now = now
        self._end = start
        self._line_counts, self._offsets = array("q"), array("q")
        self._rejected: list[RejectedLine] = []
        self._is_at_the_end = False

    def chunks(self) -> Iterator[pb.ImportUsageRequest]:
        """Yield the chunks to send, until the file ends or the call has enough of them."""
        until = self._now() + SECONDS_MAX
        lines = read_lines(self._file, self._start)
        for _ in range(self._chunks_max):
            chunk = self._next_chunk(lines)
            if chunk.events:
                yield chunk
            if self._is_at_the_end or self._now() >= until or self._line_total() >= LINES_MAX:
                return

    def _next_chunk(self, lines: Iterator[Line]) -> pb.ImportUsageRequest:
        chunk = pb.ImportUsageRequest()
        size = 0
        for line in lines:
            self._end = line.end
            if line.content.isspace() or not line.content:
                continue
            try:
                event = event_from_line(line)
            except LineRejected as rejected:
                self._rejected.append(
                    _rejected_line(line.start, rejected.reason, rejected.field, rejected.detail)
                )
            else:
                self._line_counts.append(line.number - 1)
                self._offsets.append(line.offset)
                chunk.events.append(event)
                size += event.ByteSize()
            if (
                len(chunk.events) >= EVENTS_PER_CHUNK_MAX
                or size >= BYTES_PER_CHUNK_MAX
                or len(self._rejected) >= LINES_MAX
            ):
                return chunk
        self._is_at_the_end = True
        return chunk

    def _line_total(self) -> int:
        return len(self._offsets) + len(self._rejected)

    def acknowledged(self, response: pb.ImportUsageResponse) -> Acknowledged:
        """Return what the lines came to, up to the first event that the response does not cover."""
        done = response.event_count
        end = self._place_of(done) if done < len(self._offsets) else self._end
        own = [one for one in self._rejected if one.number <= end.line_count]
        rejected = [self._of_problem(problem) for problem in response.problems]
        counts = Counts(
            accepted=response.accepted_count,
            no_match=response.no_match_count,
            no_contract=response.no_contract_count,
            unattached=response.unattached_count,
            duplicate=response.duplicate_count,
            differing=sum(problem.result.differs for problem in response.problems),
            rejected=response.rejected_count + len(own),
        )
        in_order = sorted([*own, *rejected], key=lambda one: one.number)
        return Acknowledged(end=end, counts=counts, rejected=tuple(in_order))

    def is_last(self, end: Place) -> bool:
        """Whether the file ends at this place."""
        return self._is_at_the_end and end == self._end

    def _place_of(self, event_index: int) -> Place:
        return Place(self._line_counts[event_index], self._offsets[event_index])

    def _of_problem(self, problem: pb.ImportProblem) -> RejectedLine:
        start = self._place_of(problem.event_index)
        result = problem.result
        if result.differs:
            detail = "its transaction_id was recorded before with another content, which remains"
            return _rejected_line(start, "DIFFERS", "transaction_id", detail)
        reason = pb.RejectionReason.Name(result.rejection_reason).removeprefix("REJECTION_REASON_")
        return _rejected_line(start, reason, result.field, result.detail)


def _rejected_line(start: Place, reason: str, field: str, detail: str) -> RejectedLine:
    return RejectedLine(start=start, reason=reason, field=_short(field), detail=_short(detail))


def _short(text: str) -> str:
    """Return a text that has a bound and can be encoded."""
    return text[:TEXT_MAX].encode(errors="replace").decode()
