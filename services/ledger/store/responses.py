# SPDX-License-Identifier: Apache-2.0
"""Stored responses by request_id: a repeated request gets the stored response, with another body it is refused.

The unique key of a slot settles who was first: a twin that comes between find and store fails on it, and is run
again. What a slot is, and why this is exact: domain/retention.py. Every slot is looked into.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar, cast

from meshkit.requests import Command, check_same_body
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import StoredResponse
from services.ledger.domain.gate.decision import (
    Authorized,
    AuthorizedInShadow,
    AuthorizedLines,
    AuthorizedLinesInShadow,
    Captured,
    CapturedLines,
    Debited,
    DebitedInShadow,
    DebitedLines,
    DebitedLinesInShadow,
    Extended,
    ExtendedInShadow,
)
from services.ledger.domain.responses import Response
from services.ledger.domain.retention import places_at
from services.ledger.store.audit import Audit
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.formats import RESPONSES

R = TypeVar("R", bound=Response)

# What is stored instead of these for a call that only shadow mode has allowed.
_IN_SHADOW: Final[Mapping[type[Any], type[Any]]] = {
    Authorized: AuthorizedInShadow,
    AuthorizedLines: AuthorizedLinesInShadow,
    Extended: ExtendedInShadow,
    Debited: DebitedInShadow,
    DebitedLines: DebitedLinesInShadow,
}


class StoredResponses:
    """The stored responses, seen from one transaction."""

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    async def find(self, customer_id: CustomerId, command: Command, response_type: type[R]) -> R | None:
        """Return the stored response to this request of the customer's, None when there is none.

        Raises RequestIdReused when the id was used for another request.
        """
        row = await self._connection.fetchrow(
            "SELECT body_hash, answer FROM ledger.requests WHERE customer_id = $1 AND request_id = $2",
            customer_id,
            command.request_id,
        )
        if row is None:
            return None
        check_same_body(command, row["body_hash"])
        return RESPONSES.of(response_type).decode(row["answer"])

    async def find_many(
        self, asked: Collection[tuple[CustomerId, str]]
    ) -> dict[tuple[CustomerId, str], StoredResponse]:
        """Return the stored responses there are to requests, by customer and request_id."""
        pairs = sorted(asked)
        rows = await fetch_by_customer(
            self._connection,
            "SELECT r.customer_id, r.request_id, r.body_hash, r.answer"
            " FROM unnest($1::text[], $2::text[]) AS q (customer_id, request_id)"
            " JOIN ledger.requests r USING (customer_id, request_id)",
            [customer_id for customer_id, _ in pairs],
            [request_id for _, request_id in pairs],
        )
        return {
            (CustomerId(row["customer_id"]), row["request_id"]): StoredResponse(
                row["body_hash"], partial(_decode, row["answer"])
            )
            for row in rows
        }

    async def store(
        self, customer_id: CustomerId, command: Command, response: Response, *, at: datetime
    ) -> None:
        """Store a response, in the transaction of its effect, and record the write.

        A twin's unique violation ends the transaction.
        """
        await self._connection.executemany(
            "INSERT INTO ledger.requests (customer_id, request_id, slot, body_hash, answer, create_time)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [
                (customer_id, command.request_id, slot, command.fingerprint, response, at)
                for slot in places_at(at).written
            ],
        )
        made = RESPONSES.of(type(response)).encode(response)
        await self._audit.record({"customer_id": customer_id, "response": made})


def _decode(data: dict[str, object], response_type: type[R]) -> R:
    stored_type: type[Any] = response_type
    # Capture without an amount does not say whether its hold has several lines, and so which response it got.
    if response_type is Captured and "lines" in data:
        stored_type = CapturedLines
    elif "shadow_denial" in data:
        stored_type = _IN_SHADOW[response_type]
    return cast(R, RESPONSES.of(stored_type).decode(data))
