# SPDX-License-Identifier: Apache-2.0
"""Finds the draws that credits may replace which return to grants that have ended, in a pool that is locked."""

from collections.abc import Sequence
from datetime import datetime

from meshkit.ids import Ids
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.usage.pieces import Left, total
from services.ledger.domain.usage.returning import grants_of, replaceable
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import Transaction


async def later_draws(
    tx: Transaction, key: PoolKey, returned: Sequence[Left], *, at: datetime, ids: Ids
) -> list[Left]:
    """Return the draws that what is returned may replace, newest first; none unless a grant of it has ended."""
    paying = grants_of(returned)
    if not paying:
        return []
    paid = await open_account(tx, *key, at=at, ids=ids, only_grants=paying)
    ended = {
        grant_id: paid.now.grants[grant_id]
        for grant_id in paying
        if paid.now.grants[grant_id].is_over(paid.at) and paid.now.grants[grant_id].void is None
    }
    if not ended:
        return []
    amount = total(left for left in returned if left.entry.grant_id in ended)
    slot_ids = {grant.slot_id for grant in ended.values() if grant.slot_id is not None}
    active = (await open_account(tx, *key, at=at, ids=ids, slot_ids=slot_ids)).now.grants.values()
    found: dict[int, Left] = {}
    for grant in ended.values():
        later = replaceable(active, grant, at=paid.at)
        occupants = None if grant.slot_id is None else await tx.seat_plans.occupants(key[0], grant)
        draws = await tx.corrections.draws_in_time_of(key, grant, later, amount, of=occupants)
        found |= {draw.entry.sequence: draw for draw in draws}
    return [found[sequence] for sequence in sorted(found, reverse=True)]
