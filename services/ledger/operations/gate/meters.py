# SPDX-License-Identifier: Apache-2.0
"""What the gate counts about its batches, so that a slow tail can be explained: /metrics tells it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from meshkit import tracing

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024)

BATCH_SIZE = Histogram("ledger_batch_requests", "Requests carried out in one batch.", buckets=_SIZES)
QUEUE_SECONDS = Histogram(
    "ledger_queue_seconds",
    "How long the first request of a batch has waited for it, in seconds.",
    buckets=_SECONDS,
)
STEP_SECONDS = Histogram(
    "ledger_step_seconds",
    "Time of one step of a batch, in seconds: guess (decide from memory), prove (the guarded write and its commit),"
    " confirm (the check of denials from memory), read, decide and save (of requests decided again on a fresh read).",
    ["step"],
    buckets=_SECONDS,
)
DECISIONS = Counter(
    "ledger_decisions", "Requests answered by the gate, by command and outcome.", ["command", "outcome"]
)
DECIDED_AGAIN = Counter(
    "ledger_decided_again",
    "Requests that memory could not answer, by cause: unknown, due, denied, outrun (another replica was there),"
    " twin (the request was answered before), locked (its customer's pool is locked elsewhere),"
    " behind (one that must go before it is decided again).",
    ["cause"],
)


class LaneMeter:
    """Counts batches; children are looked up once."""

    def began(self, size: int, waited_seconds: float) -> None:
        BATCH_SIZE.observe(size)
        QUEUE_SECONDS.observe(waited_seconds)


class StepMeter:
    """Times the steps of a batch."""

    def __init__(self) -> None:
        self._children = {
            step: STEP_SECONDS.labels(step)
            for step in ("guess", "prove", "confirm", "read", "decide", "save")
        }
        self._decisions: dict[tuple[str, str], Counter] = {}
        self._again: dict[str, Counter] = {}

    @contextmanager
    def step(self, step: str) -> Iterator[None]:
        """Time the block as one step, also when it raises."""
        mark = tracing.mark(step)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._children[step].observe(time.perf_counter() - began)
            if mark is not None:
                mark.end()

    def decided(self, command: str, outcome: str, requests: int = 1) -> None:
        child = self._decisions.get((command, outcome))
        if child is None:
            child = self._decisions[command, outcome] = DECISIONS.labels(command, outcome)
        child.inc(requests)

    def again(self, cause: str, requests: int = 1) -> None:
        child = self._again.get(cause)
        if child is None:
            child = self._again[cause] = DECIDED_AGAIN.labels(cause)
        child.inc(requests)
