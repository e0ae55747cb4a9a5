# SPDX-License-Identifier: Apache-2.0
"""Checks that denials which were decided on cached accounts still hold: one statement for any number of them."""

from collections.abc import Sequence
from typing import Final

from services.ledger.domain.credits.unit_of_work import GuessedDenial
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection

# The guard of write_changes, on one snapshot and without a lock. Every slot of responses is looked into. A standby may
# lag behind, so what a session reads that cannot write confirms nothing.
_HOLDING: Final = """
    SELECT d.customer_id, d.credit_type_id, d.version, d.request_id
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
        AS d (customer_id, credit_type_id, version, request_id)
    JOIN ledger.pools p USING (customer_id, credit_type_id, version)
    WHERE $5 = (SELECT e.version FROM ledger.epochs e) AND current_setting('transaction_read_only') = 'off'
        AND NOT EXISTS (
            SELECT FROM ledger.requests r WHERE r.customer_id = d.customer_id AND r.request_id = d.request_id
        )
"""


async def holding(
    connection: Connection, denials: Sequence[GuessedDenial], *, epoch: int
) -> set[GuessedDenial]:
    """Return the denials whose pools have the version on which they were decided, and whose requests no response.

    epoch: of the cached copies of Catalog's data; in another one, none holds.
    """
    rows = await fetch_by_customer(
        connection,
        _HOLDING,
        [one.key[0] for one in denials],
        [one.key[1] for one in denials],
        [one.version for one in denials],
        [one.request_id for one in denials],
        epoch,
    )
    return {GuessedDenial((row[0], row[1]), row[2], row[3]) for row in rows}
