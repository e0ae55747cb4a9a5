# SPDX-License-Identifier: Apache-2.0
"""Sends the events of a file to the Ledger, call after call, until all of them are acknowledged."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, BinaryIO

from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.rpc.status import from_rpc_error
from purser.ledger.v1 import usage_pb2 as pb
from purser_cli.importing.journal import Journal, Progress
from purser_cli.importing.segment import CHUNKS_MAX, Segment

if TYPE_CHECKING:
    from purser.ledger.v1.usage_pb2_grpc import UsageServiceAsyncStub

CALL_SECONDS_MAX = 300.0
FIRST_PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 3.0
# Repeating the call cannot help.
FINAL = {
    *(StatusCode.INVALID_ARGUMENT, StatusCode.UNIMPLEMENTED, StatusCode.FAILED_PRECONDITION),
    *(StatusCode.NOT_FOUND, StatusCode.PERMISSION_DENIED, StatusCode.UNAUTHENTICATED),
}


class ImportFailed(Exception):
    """The import cannot go on now; the text says why. What is acknowledged is stored."""


class Importer:
    """Imports one file.

    patience_seconds: the longest time without any success before it gives up. heard: called with the progress and,
    while calls fail, with the reason. now: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        ledger: "UsageServiceAsyncStub",
        *,
        patience_seconds: float,
        heard: Callable[[Progress, str], None],
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._patience_seconds = patience_seconds
        self._heard = heard
        self._now = now
        self._sleep = sleep

    async def run(self, file: BinaryIO, journal: Journal) -> Progress:
        """Send the lines that are not acknowledged yet; returns the final progress. Raises ImportFailed."""
        progress = journal.begin()
        self._heard(progress, "")
        failures, failing_since = 0, 0.0
        # Calls begin small and double, so that the first lines are acknowledged soon.
        chunks_max = 1
        while True:
            segment = Segment(file, progress.place, chunks_max=chunks_max, now=self._now)
            try:
                response = await self._send(segment)
            except AioRpcError as error:
                failing_since = failing_since if failures else self._now()
                failures += 1
                self._heard(progress, _text_of(error))
                await self._pause(error, failures, failing_since)
                # Small again, so that there is progress between failures too.
                chunks_max = 1
                continue
            done = segment.acknowledged(response)
            progress = journal.advance(progress, place=done.end, counts=done.counts, rejected=done.rejected)
            self._heard(progress, "")
            failures, chunks_max = 0, min(CHUNKS_MAX, chunks_max * 2)
            if segment.is_last(progress.place):
                return progress

    async def _send(self, segment: Segment) -> pb.ImportUsageResponse:
        call = None
        try:
            for request in segment.chunks():
                if call is None:
                    call = self._ledger.ImportUsage(timeout=CALL_SECONDS_MAX)
                try:
                    await call.write(request)
                except asyncio.InvalidStateError:  # it has responded already
                    break
            if call is None:
                return pb.ImportUsageResponse()
            await call.done_writing()
            return await call
        finally:
            if call is not None:
                call.cancel()

    async def _pause(self, error: AioRpcError, failures: int, failing_since: float) -> None:
        if error.code() in FINAL:
            raise ImportFailed(_text_of(error)) from error
        pause = min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10))
        if self._now() + pause > failing_since + self._patience_seconds:
            raise ImportFailed(
                f"no success for {self._patience_seconds:g} s; the last fault: {_text_of(error)}"
            ) from error
        await self._sleep(pause)


def _text_of(error: AioRpcError) -> str:
    return from_rpc_error(error, peer="the Ledger").message
