# SPDX-License-Identifier: Apache-2.0
"""Ids are injected, like time: `ids.new("hld")` returns "hld_0198f2…". Ids are unique and sort by time."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from meshkit.clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TAIL_BITS = 74  # the random part of a UUIDv7: 12 bits before the variant, 62 after
_TAIL_MAX = (1 << _TAIL_BITS) - 1
_TAIL_LOW_BITS = 62
_STEP_BYTES = 4
_BUFFER_BYTES = 4_096  # read at once: one system call per id took longer than making the id
_VERSION = 7 << 76
_VARIANT = 0b10 << 62


class Ids:
    """UUIDv7 ids (RFC 9562) that always increase within the process, even when the clock stops or steps back.

    A new millisecond starts with 74 new random bits. Within a millisecond they grow by random steps (RFC 9562 §6.2,
    method 2). So the ids of one replica sort in the order of creation, and those of two replicas do not collide.
    """

    def __init__(self, clock: Clock, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._randomness = randomness
        self._buffer = b""
        self._used = 0
        self._millisecond = -1
        self._tail = 0

    def new(self, prefix: str) -> str:
        """Return prefix + "_" + UUIDv7 as 32 hex digits."""
        millisecond = (self._clock.now() - _EPOCH) // _MILLISECOND
        if millisecond > self._millisecond:
            self._start(millisecond)
        else:
            self._tail += 1 + int.from_bytes(self._random(_STEP_BYTES))
            if self._tail > _TAIL_MAX:
                self._start(self._millisecond + 1)
        high, low = self._tail >> _TAIL_LOW_BITS, self._tail & ((1 << _TAIL_LOW_BITS) - 1)
        number = self._millisecond << 80 | _VERSION | high << 64 | _VARIANT | low
        return f"{prefix}_{number:032x}"

    def _start(self, millisecond: int) -> None:
        self._millisecond = millisecond
        # The top bit starts at 0, which leaves room for the steps within one millisecond.
        self._tail = int.from_bytes(self._random(10)) >> (80 - _TAIL_BITS + 1)

    def _random(self, size: int) -> bytes:
        if self._used + size > len(self._buffer):
            self._buffer, self._used = self._randomness(_BUFFER_BYTES), 0
        self._used += size
        return self._buffer[self._used - size : self._used]


def first_id(prefix: str, at: datetime) -> str:
    """Return an id that sorts after all ids made before the millisecond of `at`, and before all ids made since then."""
    return f"{prefix}_{((at - _EPOCH) // _MILLISECOND) << 80:032x}"
