# SPDX-License-Identifier: Apache-2.0
"""The keys that sign tokens: a JWKS (RFC 7517) in a file or behind a URL, read again while the service runs."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import jwt
import structlog

from meshkit.errors import Unavailable, error_text

JWKS_BYTES_MAX = 1_000_000
FETCH_SECONDS_MAX = 5.0
# How often a file is looked at, and a URL is fetched. A key that is gone is refused after that time.
FILE_SECONDS = 2.0
URL_SECONDS = 300.0
# An unknown key makes a URL be fetched at once, but no more often than this.
UNKNOWN_KEY_SECONDS = 10.0
ALGORITHMS = ("ES256", "EdDSA")

log = structlog.get_logger(__name__)

Keys = Mapping[str, jwt.PyJWK]


class KeysUnreadable(Unavailable):
    """The JWKS cannot be read, or is none; the keys known before stay."""

    reason = "KEYS_UNREADABLE"

    def __init__(self, *, source: str, cause: str) -> None:
        super().__init__(f"the keys of tokens cannot be read from {source}: {cause}", source=source)


class SigningKeys:
    """The keys of one JWKS. source: a path, or an https URL (http on this machine only).

    changed: called when the keys have changed. now_seconds: monotonic.
    """

    def __init__(self, source: str, *, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._is_url = "://" in source
        self._now_seconds = now_seconds
        self._read_seconds: float | None = None
        self._text = b""
        self._keys: Keys = {}
        self.changed: Callable[[], None] = lambda: None

    @property
    def every_seconds(self) -> float:
        """How often `refresh` is to be called."""
        return URL_SECONDS if self._is_url else FILE_SECONDS

    @property
    def is_empty(self) -> bool:
        """Whether no keys are known, for instance because the URL has not answered yet."""
        return not self._keys

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return a key by its `kid`."""
        return self._keys.get(key_id)

    async def refresh(self) -> None:
        """Read the keys again. Raises KeysUnreadable; then the keys known before stay."""
        self._read_seconds = self._now_seconds()
        try:
            text = await (self._fetch() if self._is_url else asyncio.to_thread(Path(self._source).read_bytes))
            if text == self._text:
                return
            self._keys = _parse(text)
        except (OSError, ValueError, httpx.HTTPError, jwt.PyJWTError) as error:
            raise KeysUnreadable(source=self._source, cause=error_text(error)) from error
        self._text = text
        log.info("token_keys_read", source=self._source, keys=sorted(self._keys))
        self.changed()

    async def refresh_for_unknown(self) -> None:
        """Read the keys again for a token with an unknown key, unless that was done a moment ago."""
        if not self._is_url:
            return  # a file is looked at often enough
        if self._read_seconds is None or self._now_seconds() - self._read_seconds >= UNKNOWN_KEY_SECONDS:
            try:
                await self.refresh()
            except KeysUnreadable as error:
                log.warning("token_keys_unreadable", error=error.message)

    async def _fetch(self) -> bytes:
        async with (
            httpx.AsyncClient(timeout=FETCH_SECONDS_MAX, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", self._source) as response,
        ):
            response.raise_for_status()
            text = b""
            async for piece in response.aiter_bytes():
                text += piece
                if len(text) > JWKS_BYTES_MAX:
                    raise ValueError(f"it has more than {JWKS_BYTES_MAX} bytes")
            return text


def _parse(text: bytes) -> Keys:
    """Return the keys by `kid`. Keys of other algorithms are left out, so that one JWKS can serve others too."""
    listed = json.loads(text)
    if not isinstance(listed, dict) or not isinstance(listed.get("keys"), list):
        raise ValueError("it is no JWKS: an object with a list `keys` is expected")
    keys: dict[str, jwt.PyJWK] = {}
    for one in listed["keys"]:
        if not isinstance(one, dict) or not isinstance(one.get("kid"), str):
            continue
        try:
            key = jwt.PyJWK.from_dict(one)
        except jwt.PyJWTError:
            continue
        if key.algorithm_name in ALGORITHMS:
            keys[one["kid"]] = key
    if not keys:
        raise ValueError(f"it has no key with a kid for {' or '.join(ALGORITHMS)}")
    return keys
