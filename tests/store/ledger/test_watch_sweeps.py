# SPDX-License-Identifier: Apache-2.0
"""A new watch on every customer is observed page by page, and goes on where a replica that died had come to."""

import asyncio
from dataclasses import replace

import pytest

from meshkit.quantity import Credits
from services.ledger.domain.copies import WatchUpdate
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.crossings.sweep import Sweep, SweptPage
from services.ledger.domain.crossings.watch import Watch, WatchKind
from services.ledger.operations.watch_sweeps import WatchSweeping
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import ACME, AI, GLOBEX, JUNE, Books

INITECH = CustomerId("cus_initech")


def watch(threshold: int, *, version: int = 1) -> Watch:
    return Watch(
        alert_id="alr_1",
        version=version,
        kind=WatchKind.LOW_BALANCE,
        customer_id=None,
        credit_type_id=AI,
        threshold=Credits.of(threshold),
        rearm=Credits.of(threshold),
        group_key="",
        group_value="",
    )


@pytest.fixture
async def sweeping(books: Books) -> WatchSweeping:
    """A sweep over three customers with 400, 300 and 200 credits, one customer at a time."""
    await books.sign(GLOBEX, seats=3)
    await books.sign(INITECH, seats=2)
    return WatchSweeping(
        store=books.store, clock=books.clock, ids=books.ids, relay=books.relay, customers_per_page=1
    )


async def told(sql: Sql) -> list[str]:
    rows = await sql.rows("SELECT payload ->> 'customer_id' AS one FROM ledger.outbox")
    return [row["one"] for row in rows]


async def page_after(books: Books, sweep: Sweep) -> SweptPage:
    return await books.store.run(lambda tx: tx.watch_sweeps.page(sweep, at=JUNE, customers_max=1))


async def test_every_pool_is_observed_once_however_many_pages_and_replicas_there_are(
    books: Books, sweeping: WatchSweeping, sql: Sql
) -> None:
    await books.copies.watch_threshold(WatchUpdate(watch=watch(300), is_active=True))

    await asyncio.gather(sweeping.run(), sweeping.run())
    await sweeping.run()

    assert sorted(await told(sql)) == [GLOBEX, INITECH]


async def test_a_sweep_goes_on_behind_the_last_page(books: Books, sweeping: WatchSweeping, sql: Sql) -> None:
    await books.copies.watch_threshold(WatchUpdate(watch=watch(400), is_active=True))
    sweep = await books.store.run(lambda tx: tx.watch_sweeps.next())
    assert sweep is not None
    assert (await page_after(books, sweep)).last == ACME
    await books.store.run(lambda tx: tx.watch_sweeps.save(sweep, ACME))

    await sweeping.run()

    assert sorted(await told(sql)) == [GLOBEX, INITECH]


async def test_a_changed_watch_is_swept_from_the_beginning(
    books: Books, sweeping: WatchSweeping, sql: Sql
) -> None:
    await books.copies.watch_threshold(WatchUpdate(watch=watch(400), is_active=True))
    first = await books.store.run(lambda tx: tx.watch_sweeps.next())
    assert first is not None
    await books.copies.watch_threshold(WatchUpdate(watch=watch(400, version=2), is_active=True))
    await books.store.run(lambda tx: tx.watch_sweeps.save(first, ACME))

    await sweeping.run()
    # A slow replica does not undo the sweep of the newer version.
    await books.store.run(lambda tx: tx.watch_sweeps.save(first, None))

    assert sorted(await told(sql)) == [ACME, GLOBEX, INITECH]
    assert await books.store.run(lambda tx: tx.watch_sweeps.next()) is None


async def test_a_pool_far_from_the_threshold_is_not_read(books: Books, sweeping: WatchSweeping) -> None:
    await books.copies.watch_threshold(WatchUpdate(watch=watch(300), is_active=True))
    sweep = await books.store.run(lambda tx: tx.watch_sweeps.next())
    assert sweep is not None

    assert (await page_after(books, sweep)).found == {}
    assert (await page_after(books, Sweep(sweep.watch, ACME))).found == {GLOBEX: frozenset()}


async def test_a_new_percentage_finds_the_pools_that_are_at_it(
    books: Books, sweeping: WatchSweeping, sql: Sql
) -> None:
    await books.debit(320)
    low = replace(
        watch(0), kind=WatchKind.LOW_PERCENTAGE, threshold=Credits(20_000_000), rearm=Credits(20_000_000)
    )
    just_not = replace(low, alert_id="alr_0", threshold=Credits(19_999_999), rearm=Credits(19_999_999))
    for one in (low, just_not):
        await books.copies.watch_threshold(WatchUpdate(watch=one, is_active=True))
        sweep = await books.store.run(lambda tx: tx.watch_sweeps.next())
        assert sweep is not None
        assert (await page_after(books, sweep)).found == ({ACME: frozenset()} if one is low else {})
        await sweeping.run()

    assert await told(sql) == [ACME]
