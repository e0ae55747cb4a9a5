# SPDX-License-Identifier: Apache-2.0
"""Lines of a file of any size, each with its place, so that reading can go on where it stopped."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# More than the longest event has: 50 properties with keys and values of 200 characters, all of them escaped.
LINE_BYTES_MAX = 262_144
SHOWN_BYTES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """A position between two lines. line_count: the lines before it. offset: the bytes before it."""

    line_count: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line without its end. number: from 1. end: the place after it. Of a line that is too long, the beginning."""

    number: int
    offset: int
    end: Place
    content: bytes
    is_too_long: bool

    @property
    def start(self) -> Place:
        return Place(self.number - 1, self.offset)


def read_lines(file: BinaryIO, start: Place) -> Iterator[Line]:
    """Yield the lines from a place to the end of the file, one in memory at a time."""
    file.seek(start.offset)
    place = start
    while content := file.readline(LINE_BYTES_MAX + 1):
        size = len(content)
        is_too_long = size > LINE_BYTES_MAX and not content.endswith(b"\n")
        if is_too_long:
            content = content[:SHOWN_BYTES_MAX]
            while piece := file.readline(LINE_BYTES_MAX):
                size += len(piece)
                if piece.endswith(b"\n"):
                    break
        end = Place(place.line_count + 1, place.offset + size)
        yield Line(
            number=end.line_count,
            offset=place.offset,
            end=end,
            content=content.removesuffix(b"\n").removesuffix(b"\r"),
            is_too_long=is_too_long,
        )
        place = end
