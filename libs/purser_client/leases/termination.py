# SPDX-License-Identifier: Apache-2.0
"""Reports before the process ends by SIGTERM, if the application does not handle this signal itself."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType


def report_on_sigterm(
    loop: asyncio.AbstractEventLoop, report: Callable[[], Awaitable[None]]
) -> Callable[[], None]:
    """Handle SIGTERM by awaiting `report` in the loop; then the process ends by this signal, as it would have.

    Only where nobody handles the signal, and only in the main thread. A handler that the application installs later
    replaces this one. A second SIGTERM ends the process at once. Returns what undoes it.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return lambda: None
    process = os.getpid()
    tasks: list[asyncio.Future[None]] = []  # the loop itself refers to tasks only weakly

    async def end() -> None:
        try:
            await report()
        finally:
            os.kill(process, signal.SIGTERM)

    def start() -> None:
        tasks.append(asyncio.ensure_future(end()))

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() != process or not loop.is_running():
            os.kill(os.getpid(), number)  # a child of a fork, or a gate that nobody runs
        else:
            loop.call_soon_threadsafe(start)

    def undo() -> None:
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) is handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, handle)
    return undo
