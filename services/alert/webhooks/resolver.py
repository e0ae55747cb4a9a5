# SPDX-License-Identifier: Apache-2.0
"""Resolves names by the resolver of the machine."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS_MAX = 16  # of each of the two groups
PROVEN_MAX = 10_000


class Resolver(Protocol):
    """Resolves host names."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return all IP addresses of a host, best first; none if the name does not exist."""
        ...


class SystemResolver:
    """Calls getaddrinfo on separate threads, so that a name server that hangs blocks nothing else.

    A lookup cannot be cancelled and may occupy its thread for a minute. So a host has at most one at a time, for which
    all callers wait; and hosts whose last lookup was answered have threads that no other host can occupy.
    """

    def __init__(self) -> None:
        self._unknown = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="resolver-unknown")
        self._known = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="resolver-known")
        self._proven: dict[str, None] = {}  # a set in the order in which they were proven
        self._running: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        lookup = self._running.get(host)
        if lookup is None:
            threads = self._known if host in self._proven else self._unknown
            lookup = asyncio.get_running_loop().run_in_executor(threads, _addresses, host, port)
            self._running[host] = lookup
            lookup.add_done_callback(lambda done: self._ended(host, done))
        try:
            return await asyncio.shield(lookup)
        except asyncio.CancelledError:  # it took too long
            self._proven.pop(host, None)
            raise

    def _ended(self, host: str, lookup: asyncio.Future[Sequence[str]]) -> None:
        del self._running[host]
        if lookup.cancelled() or lookup.exception() is not None or not lookup.result():
            self._proven.pop(host, None)
            return
        self._proven[host] = None
        if len(self._proven) > PROVEN_MAX:
            del self._proven[next(iter(self._proven))]

    def close(self) -> None:
        """Accept no more requests and drop the outstanding results."""
        for threads in (self._unknown, self._known):
            threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):  # unknown, or not a valid name
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
