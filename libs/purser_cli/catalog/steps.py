# SPDX-License-Identifier: Apache-2.0
"""What must be done so that the Catalog is as a file says."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from purser_cli.rpc import requests
from purser_cli.rpc.names import rpc_named

KEY_DIGITS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call. sign: + creates, ~ changes, - retires. build: makes the request, when all things before it have ids.

    basis: what the step was decided by; with the request it makes the idempotency key, so that a repeated apply has
    one effect, and the same change made anew later has its own.
    """

    sign: str
    what: str
    rpc: str
    build: Callable[[], Message]
    basis: str
    made: tuple[str, str] | None = None
    details: tuple[str, ...] = ()


@dataclass(slots=True)
class Plan:
    """steps: in order. problems: why the file cannot be applied. notes: what the file says nothing about."""

    steps: list[Step] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unchanged: int = 0


def request_for(rpc: str, **fields: Any) -> Message:
    """Return a request of an rpc."""
    made: Message = GetMessageClass(rpc_named(rpc).method.input_type)(**fields)
    return made


def request_key(step: Step, request: Message) -> str:
    """Return the idempotency key of a step, made of its content."""
    content = f"{step.rpc}\n{step.basis}\n".encode() + request.SerializeToString(deterministic=True)
    return f"catalog-{hashlib.sha256(content).hexdigest()[:KEY_DIGITS]}"


def count_of(number: int, word: str) -> str:
    """Return a number with its word, such as "1 step" or "2 steps"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def differences(before: Message, after: Message) -> tuple[str, ...]:
    """Return the fields in which two messages differ, each as "field: before → after"."""
    old, new = requests.plain(before), requests.plain(after)
    return tuple(
        f"{key}: {_text(old.get(key))} → {_text(new.get(key))}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    )


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)
