# SPDX-License-Identifier: Apache-2.0
"""What a call leaves behind in a session of the database disturbs no later call."""

from typing import Any, cast

import asyncpg
import pytest

from services.ledger.store import Transaction
from tests.support.ledger_store import Books


async def _nothing(_: Transaction) -> None:
    """Only the transaction is of interest."""


async def test_a_statement_that_was_prepared_and_not_run_keeps_no_snapshot_from_beginning(
    books: Books,
) -> None:
    with pytest.raises(asyncpg.DataError):
        await books.store.due_pools(at=cast(Any, "soon"), after=None, pools_max=1)

    await books.store.read(_nothing)
