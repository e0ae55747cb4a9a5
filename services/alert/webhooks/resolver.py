# SPDX-License-Identifier: Apache-2.0
"""Resolves names by the resolver of the machine."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS_MAX = 32


class Resolver(Protocol):
    """Resolves host names."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return all IP addresses of a host, best first; none if the name does not exist."""
        ...


class SystemResolver:
    """Calls getaddrinfo on separate threads, so that a name server that hangs blocks nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="resolver")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port)

    def close(self) -> None:
        """Accept no more requests and drop the outstanding results."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):  # unknown, or not a valid name
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
