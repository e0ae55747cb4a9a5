# SPDX-License-Identifier: Apache-2.0
"""The header by which gRPC, or a proxy, sends a customer's calls to one replica. No I/O."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from grpc import StatusCode

from purser.ledger.v1 import ledger_pb2 as pb

CUSTOMER_HEADER: Final = "x-purser-customer"
# Longer names are for the Ledger to refuse, not for a limit of headers before it.
CHARACTERS_MAX: Final = 1_024
BATCHES: Final = (pb.AuthorizeBatchRequest, pb.CaptureBatchRequest, pb.DebitBatchRequest)
# After one of these another replica may answer; after any other fault it would say the same.
ELSEWHERE: Final = frozenset(
    {
        StatusCode.UNAVAILABLE,
        StatusCode.RESOURCE_EXHAUSTED,
        StatusCode.CANCELLED,
        StatusCode.DEADLINE_EXCEEDED,
    }
)
ELSEWHERE_SECONDS: Final = 5.0
REMEMBERED_MAX: Final = 10_000

Header = tuple[tuple[str, str], ...]
NO_HEADER: Final[Header] = ()


class Affinity:
    """Names a request's customer, unless the customer's replica has failed within the last 5 s.

    now: a monotonic clock, in seconds.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._elsewhere: dict[str, float] = {}  # until when, by customer

    def header(self, request: object) -> Header:
        """Return the metadata for a call. None: any replica may answer, as for a batch of several customers."""
        customer = _customer_of(request)
        if not customer or self._now() < self._elsewhere.get(customer, 0.0):
            return NO_HEADER
        return ((CUSTOMER_HEADER, quote(customer, safe="")[:CHARACTERS_MAX]),)

    def failed(self, request: object, code: StatusCode) -> None:
        """Note that a call has failed: for a while any replica may answer the customer, so that a retry gets around."""
        customer = _customer_of(request)
        if customer and code in ELSEWHERE:
            if len(self._elsewhere) >= REMEMBERED_MAX:
                self._elsewhere.clear()
            self._elsewhere[customer] = self._now() + ELSEWHERE_SECONDS


def _customer_of(request: object) -> str:
    if isinstance(request, BATCHES):
        customers = {item.customer for item in request.items}
        return customers.pop() if len(customers) == 1 else ""
    return str(getattr(request, "customer", ""))
