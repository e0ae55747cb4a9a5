# SPDX-License-Identifier: Apache-2.0
"""The connections of a Ledger: none of its uses of the database can take those of another."""

from contextlib import AsyncExitStack, suppress

import pytest

from meshkit.faults import DatabaseBusy
from services.ledger.store.shares import Share, Shares


async def _connections(share: Share) -> int:
    """Return how many connections can be taken from a share at the same time."""
    taken = 0
    async with AsyncExitStack() as stack:
        with suppress(DatabaseBusy):
            while True:
                await stack.enter_async_context(share.take())
                taken += 1
    return taken


@pytest.mark.parametrize(
    ("size", "beside", "writes", "reads"),
    [(1, 1, 1, 1), (2, 1, 1, 1), (3, 1, 1, 1), (4, 1, 1, 1), (5, 1, 1, 2), (10, 2, 3, 4), (200, 49, 66, 84)],
)
async def test_from_four_on_the_lane_and_the_shares_are_all_connections(
    size: int, beside: int, writes: int, reads: int
) -> None:
    shares = Shares(size, wait_seconds=0)

    found = [await _connections(share) for share in (shares.beside, shares.writes, shares.reads)]

    assert found == [beside, writes, reads]
    assert size < 4 or 1 + sum(found) == size


async def test_a_connection_that_is_given_back_can_be_taken_again() -> None:
    share = Share(1, wait_seconds=0)

    for _ in range(3):
        assert await _connections(share) == 1
