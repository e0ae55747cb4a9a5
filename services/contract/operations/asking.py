# SPDX-License-Identifier: Apache-2.0
"""How the payment provider is asked about everything due, some at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

ASKED_AT_ONCE_MAX = 8

T = TypeVar("T")


async def ask_about_due(
    lease: Callable[[int], Awaitable[Sequence[T]]], ask: Callable[[T], Awaitable[None]]
) -> None:
    """Ask about everything due, ASKED_AT_ONCE_MAX at a time.

    lease: returns at most so many that are due, and keeps other replicas from them. ask: raises nothing.
    """
    while True:
        due = await lease(ASKED_AT_ONCE_MAX)
        await asyncio.gather(*(ask(one) for one in due))
        if len(due) < ASKED_AT_ONCE_MAX:
            return
