# SPDX-License-Identifier: Apache-2.0
"""Answers by request_id: the same request gets its first answer, another body under the same id is refused.

The unique key settles who was first: a twin that comes between replay and remember fails on it, and is run again.
"""

import hashlib
from datetime import datetime
from typing import TypeVar

from meshkit.encoding import canonical, from_json, to_json
from meshkit.errors import RequestIdReused
from meshkit.requests import Command
from services.ledger.domain.grant import CustomerId
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
        if row["body_hash"] != _hash_of(command):
            raise RequestIdReused(request_id=command.request_id)
        return from_json(answer_type, row["answer"])

    async def remember(
        self, customer_id: CustomerId, command: Command, answer: object, *, at: datetime
    ) -> None:
        """Keep an answer, in the transaction of its effect. A twin's unique violation ends the transaction."""
        await self._connection.execute(
            "INSERT INTO ledger.requests (customer_id, request_id, body_hash, answer, create_time)"
            " VALUES ($1, $2, $3, $4, $5)",
            customer_id,
            command.request_id,
            _hash_of(command),
            to_json(answer),
            at,
        )


def _hash_of(command: Command) -> bytes:
    return hashlib.sha256(f"{type(command).__name__}\n{canonical(command)}".encode()).digest()
