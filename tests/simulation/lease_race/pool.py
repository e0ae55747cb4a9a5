# SPDX-License-Identifier: Apache-2.0
"""The raced pool: what was granted, what the Ledger has stored, and what was available at every instant."""

import bisect
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

# A version is noted when it is committed, while the pool's row is locked: so their times are in order, and each version
# is committed before the next one has its time. One version may be of many calls, decided one after the other: before
# what ended or was granted among them, less was available than after all of them.
HISTORY = """
CREATE SCHEMA race;
CREATE TABLE race.versions (version bigint PRIMARY KEY, least_micros bigint NOT NULL, time float8 NOT NULL);
CREATE TABLE race.returned (writer xid8 NOT NULL, micros bigint NOT NULL);

CREATE FUNCTION race.note_returned() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_TABLE_NAME = 'grants' THEN
        INSERT INTO race.returned VALUES (pg_current_xact_id(), NEW.granted_micros);
    ELSIF OLD.state = 'HELD' AND NEW.state <> 'HELD' THEN
        INSERT INTO race.returned SELECT pg_current_xact_id(), greatest(0, sum(micros) - NEW.captured_micros)
        FROM unnest(OLD.draw_micros) AS micros;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT ON ledger.grants FOR EACH ROW EXECUTE FUNCTION race.note_returned();
CREATE TRIGGER note AFTER UPDATE ON ledger.holds FOR EACH ROW EXECUTE FUNCTION race.note_returned();

CREATE FUNCTION race.note_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO race.versions SELECT NEW.version,
        (SELECT sum(granted_micros - captured_micros - held_micros) FROM ledger.grants
            WHERE customer_id = NEW.customer_id)
        - (SELECT coalesce(sum(micros), 0) FROM race.returned WHERE writer = pg_current_xact_id()),
        extract(epoch FROM clock_timestamp())
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER note AFTER UPDATE ON ledger.pools
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION race.note_version();
"""

CHARGES = """
SELECT group_values::jsonb ->> 'user_id' AS name,
    (sum(shortfall_micros) - sum(amount_micros))::bigint AS micros, sum(shortfall_micros)::bigint AS shortfall,
    coalesce((SELECT bool_or((answer ->> 'is_late')::boolean) FROM ledger.requests
        WHERE customer_id = $1 AND request_id = cause_id), false) AS is_late
FROM ledger.entries
WHERE customer_id = $1 AND kind IN ('CAPTURE', 'SHORTFALL')
GROUP BY cause_id, group_values
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The pool's versions in order: their times, and the least that was available to a call that one of them decided.

    Available is what is neither held nor leased nor used. Expired holds count as held until somebody ends them.
    """

    times: Sequence[float]
    available: Sequence[int]

    def least(self, begins: float, ends: float) -> int:
        """Return the least that can have been available to a decision between these times.

        Version i was decided upon from times[i] at the earliest until it was replaced, at times[i + 2] at the latest.
        """
        first = max(0, bisect.bisect_right(self.times, begins) - 2)
        last = bisect.bisect_right(self.times, ends)
        return min(self.available[first:last], default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the Ledger has at the end, in micro-credits. uses: of each user, how often which amount was charged.

    shortfall: what was used and not paid for. late: the same of uses that were reported after the grace of their
    lease, by user; nothing was reserved for them any more.
    """

    granted: int
    captured: int
    held: int
    shortfall: int
    late: Mapping[str, int]
    uses: Mapping[str, Counter[int]]
    history: History


async def watch(url: str) -> None:
    """Record every version of the pool from now on. url: of the administrator."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(HISTORY)
    finally:
        await connection.close()


async def stored(url: str, customer: str) -> Stored:
    """Read everything, after the race. url: of the administrator."""
    connection = await asyncpg.connect(url)
    try:
        sums = await connection.fetchrow(
            "SELECT sum(granted_micros)::bigint AS granted, sum(captured_micros)::bigint AS captured,"
            " sum(held_micros)::bigint AS held FROM ledger.grants WHERE customer_id = $1",
            customer,
        )
        charges = await connection.fetch(CHARGES, customer)
        versions = await connection.fetch("SELECT * FROM race.versions ORDER BY version")
    finally:
        await connection.close()
    assert sums is not None
    uses: dict[str, Counter[int]] = defaultdict(Counter)
    late: Counter[str] = Counter()
    for charge in charges:
        uses[charge["name"]][charge["micros"]] += 1
        if charge["is_late"]:
            late[charge["name"]] += charge["shortfall"]
    return Stored(
        granted=sums["granted"],
        captured=sums["captured"],
        held=sums["held"],
        shortfall=sum(charge["shortfall"] for charge in charges if not charge["is_late"]),
        late=+late,
        uses=uses,
        history=History(
            times=[version["time"] for version in versions],
            available=[version["least_micros"] for version in versions],
        ),
    )
