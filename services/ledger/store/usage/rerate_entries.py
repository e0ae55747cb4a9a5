# SPDX-License-Identifier: Apache-2.0
"""The entries of a meter, page by page, for a rerating.

Entries have no index by meter, because every index costs each call of the gate. So a page looks at a bounded span of
the pool's history. The rest of a piece of usage may be anywhere behind it, if it was amended or rerated before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from meshkit.quantity import INT64_MAX
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.usage.event import AHEAD_MAX
from services.ledger.domain.usage.meter import MeterKey
from services.ledger.domain.usage.pieces import Piece
from services.ledger.domain.usage.rerate_job import MeterProgress
from services.ledger.domain.usage.rerating import pieces_by_use
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import ENTRY_COLUMNS, entry_from_row
from services.ledger.store.usage.corrections import Corrections

SEQUENCES_PER_PAGE_MAX = 10_000
# Entries are created in the order of their sequence, but for what replicas' clocks differ.
CLOCKS_DIFFER_MAX = timedelta(hours=1)

# $1 to $4: the pool and the meter; $5: the last sequence.
_ON_METER = """
    customer_id = $1 AND credit_type_id = $2 AND root_rate_id = $3 AND usage_period_start = $4 AND sequence <= $5
        AND corrects_sequence IS NULL
"""
_PAGE = f"SELECT {ENTRY_COLUMNS} FROM ledger.entries WHERE {_ON_METER} AND sequence > $6 ORDER BY sequence LIMIT $7"
_OF_EVENTS = f"""
    SELECT {ENTRY_COLUMNS} FROM ledger.entries WHERE {_ON_METER} AND transaction_id = ANY ($6::text[])
"""
# All entries of one use have its time.
_OF_OTHERS = f"""
    SELECT {ENTRY_COLUMNS} FROM ledger.entries
    WHERE {_ON_METER} AND transaction_id IS NULL AND product_id IS NOT NULL
        AND effective_time = ANY ($6::timestamptz[])
        AND (hold_id = ANY ($7::text[]) OR (hold_id IS NULL AND cause_id = ANY ($8::text[])))
"""


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Pieces of usage in the order of their first entries, which are on this page. entries: how many they have.

    done: the page ends with this sequence.
    """

    pieces: Sequence[Piece]
    entries: int
    done: int


class RerateEntries:
    """The entries of meters, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._corrections = Corrections(connection)

    async def before(self, key: PoolKey, meter_key: MeterKey, *, until: int) -> int:
        """Return a sequence before the first entry of a meter."""
        earliest = meter_key.period_start - AHEAD_MAX - CLOCKS_DIFFER_MAX
        low, high = 0, until  # the first entry that was created later is in (low, high + 1]
        while low < high:
            middle = (low + high + 1) // 2
            create_time = await self._connection.fetchval(
                "SELECT create_time FROM ledger.entries WHERE customer_id = $1 AND credit_type_id = $2"
                " AND sequence = $3",
                *key,
                middle,
            )
            if create_time < earliest:
                low = middle
            else:
                high = middle - 1
        return low

    async def page(self, progress: MeterProgress, *, entries_max: int) -> UsagePage:
        """Return the next usage of a meter."""
        name = (*progress.key, progress.meter_key.root_rate_id, progress.meter_key.period_start)
        end = min(progress.until, progress.done + SEQUENCES_PER_PAGE_MAX)
        rows = await self._connection.fetch(_PAGE, *name, end, progress.done, entries_max)
        if len(rows) == entries_max:
            end = rows[-1]["sequence"]
        entries = await self._whole_uses(name, list(map(entry_from_row, rows)))
        corrections = await self._corrections.corrections_of(progress.key, entries)
        held = await self._corrections.held(progress.key, entries)
        pieces = [
            piece
            for piece in pieces_by_use(entries, corrections, held)
            if progress.done < piece.first.sequence <= end
        ]
        return UsagePage(pieces, sum(len(piece.lefts) for piece in pieces), end)

    async def _whole_uses(self, name: tuple[object, ...], entries: Sequence[Entry]) -> list[Entry]:
        """Return all entries of the uses that have these entries, in order.

        Also those written since the job began: credits that came back may have replaced what a later grant had paid.
        """
        found = {entry.sequence: entry for entry in entries}
        events: set[str] = set()
        holds: set[str] = set()
        causes: set[str] = set()
        times = set()
        for entry in entries:
            assert entry.usage is not None
            if entry.usage.transaction_id is not None:
                events.add(entry.usage.transaction_id)
                continue
            times.add(entry.effective_time)
            if entry.usage.hold_id is not None:
                holds.add(entry.usage.hold_id)
            else:
                causes.add(entry.cause_id)
        rows = []
        if events:
            rows += await self._connection.fetch(_OF_EVENTS, *name, INT64_MAX, sorted(events))
        if times:
            rows += await self._connection.fetch(
                _OF_OTHERS, *name, INT64_MAX, sorted(times), sorted(holds), sorted(causes)
            )
        found |= {row["sequence"]: entry_from_row(row) for row in rows}
        return [found[sequence] for sequence in sorted(found)]
