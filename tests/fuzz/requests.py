# SPDX-License-Identifier: Apache-2.0
"""Composes calls: neighbours of requests that succeeded, new ones from the descriptors, repeats, and garbage."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError, Message

from tests.fuzz import values
from tests.fuzz.fields import Filler
from tests.fuzz.knowledge import Knowledge
from tests.fuzz.methods import Method
from tests.fuzz.tokens import bad_token

# A valid new time of the sandbox is at most this far ahead: due work of centuries would leave no time for other calls.
ADVANCE_SECONDS_MAX: Final = 3 * 86_400
ADVANCED_SECONDS_MAX: Final = 540 * 86_400

AUTHORIZATION: Final = "authorization"
BAD_AUTHORIZATIONS: Final = (
    "",
    "Bearer",
    "Bearer ",
    "Bearer  x",
    "bearer a.b.c",
    "Bearer ...",
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Bearer " + "a" * 4_000,
    "Basic dXNlcjpwYXNz",
    "Bearer \\x00",
    'Bearer "',
    "~" * 100,
)

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A call to make. bodies: its messages as bytes; one, unless the method takes a stream.

    customer_id: whose token it carries, if it is self-service. together: it is sent twice at the same time.
    hangs_up_after: seconds until the caller disconnects, if it does.
    """

    method: Method
    kind: str
    bodies: tuple[bytes, ...]
    metadata: Metadata = ()
    customer_id: str = ""
    together: bool = False
    hangs_up_after: float | None = None


class Composer:
    """Composes attempts for one caller. dice: all its choices; start: the first instant of the sandbox, in seconds.

    tokens: some that the mesh accepts, with fewer rights than the caller's own.
    """

    def __init__(
        self, dice: random.Random, knowledge: Knowledge, *, prefix: str, start: int, tokens: Sequence[str]
    ) -> None:
        self._dice = dice
        self._knowledge = knowledge
        self._filler = Filler(dice, knowledge, prefix)
        self._start = start
        self._tokens = tokens

    def attempt(self, method: Method) -> Attempt:
        dice = self._dice
        kind = dice.choices(("neighbour", "built", "page", "repeat", "garbage"), weights=(40, 36, 7, 7, 10))[
            0
        ]
        count = dice.choice((0, 1, 1, 2, 3, 8)) if method.takes_stream else 1
        # Good messages of a stream may precede and follow garbage.
        kinds = [kind if count == 1 or dice.random() < 0.4 else "neighbour" for _ in range(count)]
        bodies = tuple(self._tamed(method, self._body(method, one)) for one in kinds)
        return Attempt(
            method=method,
            kind=kind,
            bodies=bodies,
            metadata=self._metadata(),
            together=not method.takes_stream and dice.random() < 0.04,
            hangs_up_after=dice.choice((0.0, 0.001, 0.01, 0.05)) if dice.random() < 0.02 else None,
        )

    def _body(self, method: Method, kind: str) -> bytes:
        match kind:
            case "neighbour":
                return _bytes_of(self._neighbour(method))
            case "page":
                return _bytes_of(self._page(method))
            case "repeat":
                return _bytes_of(self._repeat(method))
            case "garbage":
                return self._garbage(_bytes_of(self._neighbour(method)))
            case _:
                return _bytes_of(self._built(method))

    def _built(self, method: Method) -> Message:
        message = method.request_type()
        self._filler.fill(message, awkward=self._dice.choice((0.0, 0.0, 0.05, 0.15, 0.4, 0.9)))
        return message

    def _example(self, method: Method) -> Message | None:
        known = self._knowledge.examples.get(method.path)
        return method.request_type.FromString(self._dice.choice(known)) if known else None

    def _neighbour(self, method: Method) -> Message:
        message = self._example(method)
        if message is None:
            return self._built(method)
        self._filler.refresh(message)
        self._filler.change(message, times=self._dice.choice((0, 0, 1, 1, 1, 2, 4)))
        return message

    def _repeat(self, method: Method) -> Message:
        """A request_id that was used already, with the same body or another one."""
        message = self._example(method)
        if message is None:
            return self._built(method)
        used = getattr(message, "request_id", "")
        self._filler.change(message, times=self._dice.choice((0, 1, 1, 2)))
        if used:
            message.request_id = used  # type: ignore[attr-defined]
        return message

    def _page(self, method: Method) -> Message:
        pages = self._knowledge.pages.get(method.path)
        if not pages:
            return self._neighbour(method)
        raw, token = self._dice.choice(pages)
        message = method.request_type.FromString(raw)
        is_good = self._dice.random() < 0.25
        message.page_token = token if is_good else bad_token(self._dice, token, message)  # type: ignore[attr-defined]
        if self._dice.random() < 0.15:
            self._filler.change(message, times=1)
        return message

    def _garbage(self, raw: bytes) -> bytes:
        dice = self._dice
        match dice.randrange(6):
            case 0:
                return dice.randbytes(dice.choice((1, 2, 7, 64, 1_000)))
            case 1:
                return raw[: dice.randrange(len(raw) + 1)]
            case 2 if raw:
                at = dice.randrange(len(raw))
                return raw[:at] + bytes([raw[at] ^ (1 << dice.randrange(8))]) + raw[at + 1 :]
            case 3:
                at = dice.randrange(len(raw) + 1)
                return raw[:at] + dice.randbytes(dice.choice((1, 3, 20))) + raw[at:]
            case 4:
                return raw + raw
            case _:
                return b"\x0a\xff\xff\xff\xff\x07" + raw

    def _tamed(self, method: Method, raw: bytes) -> bytes:
        """Return the body, or, if it would move the clock far ahead, one that moves it a little."""
        if method.name != "AdvanceTime":
            return raw
        try:
            request = method.request_type.FromString(raw)
        except DecodeError:
            return raw
        asked, now = request.new_time.seconds, self._knowledge.now  # type: ignore[attr-defined]
        if now + ADVANCE_SECONDS_MAX < asked < values.YEAR_9000:
            latest = min(now + ADVANCE_SECONDS_MAX, self._start + ADVANCED_SECONDS_MAX)
            request.new_time.seconds = self._dice.randint(min(now, latest), latest)  # type: ignore[attr-defined]
        return request.SerializeToString()

    def _metadata(self) -> Metadata:
        dice = self._dice
        if dice.random() < 0.9:
            return ()
        said: list[tuple[str, str | bytes]] = [(AUTHORIZATION, self._authorization())]
        if dice.random() < 0.2:
            said.append((AUTHORIZATION, self._authorization()))
        if dice.random() < 0.3:
            said.append(("authorization-bin", dice.randbytes(dice.choice((0, 1, 64)))))
        if dice.random() < 0.2:
            said.append(("x-" + "k" * dice.choice((1, 200)), "v" * dice.choice((0, 1, 3_000))))
        return tuple(said)

    def _authorization(self) -> str:
        dice = self._dice
        if dice.random() < 0.4:
            return dice.choice(BAD_AUTHORIZATIONS)
        token = dice.choice(self._tokens)
        if dice.random() < 0.4:
            at = dice.randrange(len(token))
            token = token[:at] + dice.choice(("", ".", "A", "-")) + token[at + 1 :]
        return f"Bearer {token}"


def _bytes_of(message: Message) -> bytes:
    """Return a message as bytes, with lone surrogates where it has LONE."""
    return message.SerializeToString().replace(*values.LONE_BYTES)


def shown(method: Method, bodies: Sequence[bytes]) -> list[str]:
    """Return each body as text: its fields, or its bytes if it is no message."""
    return [_shown(method, raw) for raw in bodies]


def _shown(method: Method, raw: bytes) -> str:
    try:
        return str(method.request_type.FromString(raw)) or "(empty)"
    except DecodeError:
        return f"bytes {raw.hex()}"
