# SPDX-License-Identifier: Apache-2.0
"""Names to addresses, by the machine's own resolver."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS_MAX = 32


class Resolver(Protocol):
    """Something that knows where a host is."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return all IP addresses of a host, best first; none when it is not known."""
        ...


class SystemResolver:
    """Asks getaddrinfo, on threads of its own: a name server that hangs must not hold up anything else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="resolver")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port)

    def close(self) -> None:
        """Take no more questions; answers that nobody waits for are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):  # not known; not a name at all
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
