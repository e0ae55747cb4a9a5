# SPDX-License-Identifier: Apache-2.0
"""The request_id of a write: from the caller's key, or kept for a moment for repeats that bring none."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from meshkit.clock import Clock

KEPT_MAX = 10_000
# The SDK's last repeat follows within two minutes, even if it waits as long as Retry-After may ask it to.
KEPT_FOR = timedelta(minutes=10)
_FITS = re.compile(r"[A-Za-z0-9._:-]{1,56}")


def of_idempotency_key(key: str) -> str:
    """Return the request_id of the header Idempotency-Key: the key itself, if our services accept it."""
    return key if _FITS.fullmatch(key) else f"key-{_digest(key)}"


def of_natural_key(path: str, key: str) -> str:
    """Return the request_id of a uniqueness_key, which is unique for one path."""
    return f"key-{_digest(path, key)}"


def part_of(request_id: str, part: str) -> str:
    """Return the request_id of one of several rpcs that one request makes."""
    return f"{request_id[:48]}:{_digest(part)[:12]}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:40]


class KeptRequestIds:
    """Which request_id the latest first attempt of a caller's body got, so that a repeat gets the same one.

    The SDK marks repeats by x-stainless-retry-count and sends no key. Two equal bodies that were both meant are both
    first attempts, so each gets its own id. In memory: a repeat that reaches another replica gets a new id.
    """

    def __init__(self, clock: Clock, new: Callable[[], str]) -> None:
        self._clock = clock
        self._new = new
        self._kept: OrderedDict[str, tuple[datetime, str]] = OrderedDict()

    def of(self, *, caller: str, path: str, body: bytes, is_repeat: bool) -> str:
        """Return the id. caller: what identifies the caller, such as the token."""
        fingerprint = hashlib.sha256(
            b"\x00".join((caller.encode(), path.encode(), hashlib.sha256(body).digest()))
        ).hexdigest()
        now = self._clock.now()
        self._forget(now)
        kept = self._kept.get(fingerprint)
        if is_repeat and kept is not None:
            return kept[1]
        request_id = self._new()
        self._kept[fingerprint] = now, request_id
        self._kept.move_to_end(fingerprint)
        return request_id

    def _forget(self, now: datetime) -> None:
        while self._kept:
            since, _ = next(iter(self._kept.values()))
            if len(self._kept) <= KEPT_MAX and now - since < KEPT_FOR:
                return
            self._kept.popitem(last=False)
