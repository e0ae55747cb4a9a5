# SPDX-License-Identifier: Apache-2.0
"""The bearer token that each call carries, renewed before it expires and when the Ledger no longer accepts it."""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias

from grpc import StatusCode

from purser_client.faults import LedgerFault

# A token is renewed when this part of its life is left, so that a slow identity provider delays no call.
LEFT_PART: Final = 0.1
# A file or a function that returns the same token again is asked no more often than this.
ASK_SECONDS: Final = 1.0

Token: TypeAlias = str | Path | Callable[[], Awaitable[str]]
Metadata: TypeAlias = tuple[tuple[str, str], ...]


class TokenSource:
    """Returns the metadata of the next call. token: see Gate. now: in seconds since 1970."""

    def __init__(self, token: Token | None, *, now: Callable[[], float] = time.time) -> None:
        self._token = token
        self._now = now
        self._metadata: Metadata = ()
        self._renew_seconds = 0.0
        self._asked_seconds = -ASK_SECONDS
        self._lock = asyncio.Lock()
        if isinstance(token, str):
            self._metadata = _metadata_of(token)
            self._renew_seconds = float("inf")
        elif token is None:
            self._renew_seconds = float("inf")

    async def metadata(self) -> Metadata:
        """Return the metadata with a token that is valid still, as far as its own `exp` says.

        Raises LedgerFault (UNAVAILABLE, TOKEN_SOURCE_FAILED) if there is none and no new one can be had.
        """
        if self._now() >= self._renew_seconds:
            async with self._lock:
                if self._now() >= self._renew_seconds:
                    await self._renew()
        return self._metadata

    def refused(self, used: Metadata) -> bool:
        """Note that the Ledger has refused a token. Returns whether another may be had, so that a retry makes sense."""
        if self._token is None or isinstance(self._token, str):
            return False
        if used is self._metadata:
            self._renew_seconds = min(self._renew_seconds, self._asked_seconds + ASK_SECONDS)
        return used is not self._metadata or self._now() >= self._renew_seconds

    async def _renew(self) -> None:
        self._asked_seconds = self._now()
        try:
            text = (await self._ask()).strip()
        except Exception as error:
            if not self._metadata:
                raise LedgerFault(
                    StatusCode.UNAVAILABLE,
                    f"no token can be had: {type(error).__name__}: {error}",
                    reason="TOKEN_SOURCE_FAILED",
                ) from error
            # The former token is used as long as the Ledger accepts it.
            self._renew_seconds = self._asked_seconds + ASK_SECONDS
            return
        if self._metadata != _metadata_of(text):
            self._metadata = _metadata_of(text)
        left = _expire_seconds(text) - self._asked_seconds
        self._renew_seconds = self._asked_seconds + max(ASK_SECONDS, left * (1 - LEFT_PART))

    async def _ask(self) -> str:
        if isinstance(self._token, Path):
            return await asyncio.to_thread(self._token.read_text)
        assert callable(self._token)
        return await self._token()


def _metadata_of(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def _expire_seconds(token: str) -> float:
    """Return the claim `exp`; a token that does not show one is taken for valid until it is refused."""
    try:
        claims = token.split(".")[1]
        expire = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(expire)
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return float("inf")
