# SPDX-License-Identifier: Apache-2.0
"""Answers by request_id: the same request gets its first answer, another body under the same id is refused.

The unique key of a slot settles who was first: a twin that comes between replay and remember fails on it, and is run
again. What a slot is, and why this is exact: domain/retention.py. Every slot is looked into.
"""

from collections.abc import Collection
from datetime import datetime
from typing import TypeVar

from meshkit.encoding import from_json, to_json
from meshkit.requests import Command, check_same_body
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import Given
from services.ledger.domain.retention import places_at
from services.ledger.store.connection import Connection

T = TypeVar("T")


class Answers:
    """The answered requests of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def replay(self, customer_id: CustomerId, command: Command, answer_type: type[T]) -> T | None:
        """Return the first answer to this request of the customer's, None when there is none.

        Raises RequestIdReused when the id stands for another request.
        """
        row = await self._connection.fetchrow(
            "SELECT body_hash, answer FROM ledger.requests WHERE customer_id = $1 AND request_id = $2",
            customer_id,
            command.request_id,
        )
        if row is None:
            return None
        check_same_body(command, row["body_hash"])
        return from_json(answer_type, row["answer"])

    async def given(self, asked: Collection[tuple[CustomerId, str]]) -> dict[tuple[CustomerId, str], Given]:
        """Return the answers there are to requests, by customer and request_id."""
        pairs = sorted(asked)
        rows = await self._connection.fetch(
            "SELECT r.customer_id, r.request_id, r.body_hash, r.answer"
            " FROM unnest($1::text[], $2::text[]) AS q (customer_id, request_id)"
            " JOIN ledger.requests r USING (customer_id, request_id)",
            [customer_id for customer_id, _ in pairs],
            [request_id for _, request_id in pairs],
        )
        return {
            (CustomerId(row["customer_id"]), row["request_id"]): Given(row["body_hash"], row["answer"])
            for row in rows
        }

    async def remember(
        self, customer_id: CustomerId, command: Command, answer: object, *, at: datetime
    ) -> None:
        """Keep an answer, in the transaction of its effect. A twin's unique violation ends the transaction."""
        await self._connection.execute(
            "INSERT INTO ledger.requests (customer_id, request_id, slot, body_hash, answer, create_time)"
            " SELECT $1, $2, slot, $4, $5, $6 FROM unnest($3::smallint[]) AS s (slot)",
            customer_id,
            command.request_id,
            list(places_at(at).written),
            command.fingerprint,
            to_json(answer),
            at,
        )
