# SPDX-License-Identifier: Apache-2.0
"""Issuing and voiding read no other grants, and write what they would write if they had read all of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from meshkit.quantity import Credits
from services.ledger.domain.copies import WatchUpdate
from services.ledger.domain.credits import issuing
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.commands import IssueGrant, VoidGrant
from services.ledger.domain.credits.grant import CustomerId, Grant, GrantId, GrantKind, GrantVoid
from services.ledger.domain.credits.unit_of_work import AccountSelection
from services.ledger.domain.crossings.watch import Watch, WatchKind
from services.ledger.domain.gate.commands import Authorize, Capture, Debit, Release
from services.ledger.domain.gate.hold import HoldId
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import Transaction
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import ACME, AI, ASSISTANT, GLOBEX, JUNE, Books, ask

STEPS = 40


@dataclass
class Customer:
    """One of two customers to whom the same happens. reads_all: its grants are issued and voided on whole accounts."""

    books: Books
    customer_id: CustomerId
    reads_all: bool
    grants: list[GrantId] = field(default_factory=list)
    holds: list[HoldId] = field(default_factory=list)
    requests: int = 0

    def command(self, command_type: type[Any], **fields: Any) -> Any:
        self.requests += 1
        name = f"req-{self.requests}"
        return command_type(request_id=name, fingerprint=name.encode(), customer=self.customer_id, **fields)

    async def issue(
        self, credits: int, effective_time: datetime | None, expire_time: datetime | None
    ) -> object:
        command = self.command(
            IssueGrant,
            credit_type_id=AI,
            kind=GrantKind.TOP_UP,
            product_id=None,
            amount=Credits.of(credits),
            cost_basis_micros=0,
            priority=100,
            effective_time=effective_time,
            expire_time=expire_time,
            scope_product_ids=frozenset(),
            source_id=None,
        )
        if not self.reads_all:
            self.grants.append((await self.books.grants.issue(command)).grant_id)
            return None
        grant_id = GrantId(self.books.ids.new("grt"))

        def rule(account: Account, at: datetime) -> Account:
            grant = Grant(
                grant_id=grant_id,
                kind=command.kind,
                product_id=None,
                priority=100,
                effective_time=effective_time or at,
                expire_time=expire_time,
                create_time=at,
                granted=command.amount,
            )
            return issuing.issue_grant(account, grant, cause_id=command.request_id, at=at)

        await self._change_whole(rule)
        self.grants.append(grant_id)
        return None

    async def void(self, number: int) -> object:
        grant_id = self.grants[number % len(self.grants)]
        command = self.command(VoidGrant, grant_id=grant_id, reason="by mistake", actor="ops")
        if not self.reads_all:
            return (await self.books.grants.void(command)).voided
        taken: list[Credits] = []

        def rule(account: Account, at: datetime) -> Account:
            void = GrantVoid(time=at, reason=command.reason, actor=command.actor)
            after, voided = issuing.void_grant(account, grant_id, void, cause_id=command.request_id, at=at)
            taken.append(voided)
            return after

        await self._change_whole(rule, only_grants=frozenset({grant_id}))
        return taken[-1]

    async def _change_whole(
        self, rule: Callable[[Account, datetime], Account], *, only_grants: frozenset[GrantId] = frozenset()
    ) -> None:
        """Settle all of the account whether or not anything is due, and apply a rule to it."""
        at = self.books.clock.now()

        async def work(tx: Transaction) -> None:
            opened = await open_account(
                tx, self.customer_id, AI, at=at, ids=self.books.ids, settles=True, only_grants=only_grants
            )
            await opened.save(tx, rule(opened.now, opened.at))

        await self.books.store.run(work)

    async def authorize(self, credits: int, user: str) -> object:
        fields = {"product_id": ASSISTANT, "amount": Credits.of(credits), "group_values": {"user_id": user}}
        answer = await ask(
            self.books.gate,
            self.command(Authorize, **fields, hold_ttl=timedelta(minutes=5), allow_partial=True),
        )
        if answer.hold_id:
            self.holds.append(answer.hold_id)
        return answer.held

    async def debit(self, credits: int, user: str) -> object:
        fields = {"product_id": ASSISTANT, "amount": Credits.of(credits), "group_values": {"user_id": user}}
        return (await ask(self.books.gate, self.command(Debit, **fields))).debited

    async def capture(self, credits: int) -> object:
        if not self.holds:
            return None
        hold_id = self.holds.pop()
        return (
            await ask(self.books.gate, self.command(Capture, hold_id=hold_id, actual=Credits.of(credits)))
        ).captured

    async def release(self) -> object:
        if not self.holds:
            return None
        return (await ask(self.books.gate, self.command(Release, hold_id=self.holds.pop()))).released


def _step(random: Random, now: datetime) -> tuple[str, tuple[object, ...]]:
    """Return a method of Customer and its arguments."""
    credits, user = random.randrange(1, 60), random.choice(["ann", "bob"])
    start = random.choice([None, None, now + timedelta(hours=random.randrange(1, 30))])
    end = random.choice([None, None, (start or now) + timedelta(minutes=random.choice([2, 90, 4_000]))])
    return random.choice(
        [
            ("issue", (credits, start, end)),
            ("issue", (credits, start, end)),
            ("issue", (credits, start, end)),
            ("void", (random.randrange(1_000),)),
            ("void", (random.randrange(1_000),)),
            ("authorize", (credits, user)),
            ("debit", (credits, user)),
            ("capture", (credits,)),
            ("release", ()),
        ]
    )


def _watch(random: Random, number: int, *, version: int) -> Watch:
    """Return one of four watches: on the balance or on what users spend, of one customer or of all."""
    low = {"kind": WatchKind.LOW_BALANCE, "group_key": "", "group_value": ""}
    high = {"kind": WatchKind.SPEND, "group_key": "user_id"}
    terms: list[dict[str, Any]] = [
        {**low, "customer_id": ACME, "threshold": Credits.of(random.randrange(500))},
        {**low, "customer_id": None, "threshold": Credits.of(random.randrange(700))},
        {**high, "customer_id": ACME, "threshold": Credits.of(40), "group_value": ""},
        {**high, "customer_id": None, "threshold": Credits.of(60), "group_value": "bob"},
    ]
    chosen = terms[number]
    rearm = chosen["threshold"] + Credits.of(random.choice([0, 0, 30]) * (1 if number < 2 else -1))
    return Watch(alert_id=f"alr_{number}", version=version, credit_type_id=AI, rearm=rearm, **chosen)


async def _tell(books: Books, watch: Watch) -> None:
    """Watch both customers, if it watches one."""
    await books.copies.watch_threshold(WatchUpdate(watch=watch, is_active=True))
    if watch.customer_id is not None:
        other = replace(watch, alert_id=f"{watch.alert_id}b", customer_id=GLOBEX)
        await books.copies.watch_threshold(WatchUpdate(watch=other, is_active=True))


async def _history(sql: Sql, customer_id: CustomerId) -> dict[str, list[Any]]:
    """Return what was written about a customer; ids, which differ, are replaced by positions."""
    grants = await sql.rows(
        "SELECT grant_id, granted_micros, captured_micros, held_micros, expired_micros, voided_micros, is_closed,"
        " void_time FROM ledger.grants WHERE customer_id = $1 ORDER BY grant_id",
        customer_id,
    )
    positions = {row.pop("grant_id"): position for position, row in enumerate(grants)}
    entries = await sql.rows(
        "SELECT sequence, kind, grant_id, amount_micros, shortfall_micros, effective_time, create_time"
        " FROM ledger.entries WHERE customer_id = $1 ORDER BY sequence",
        customer_id,
    )
    for entry in entries:
        entry["grant_id"] = positions.get(entry["grant_id"])
    crossings = await sql.rows(
        "SELECT rtrim(payload ->> 'alert_id', 'b') AS alert_id, payload ->> 'group_value' AS group_value,"
        " payload ->> 'in_alarm' AS in_alarm, payload ->> 'value_micros' AS value, payload ->> 'sequence' AS sequence,"
        " payload ->> 'observe_time' AS at FROM ledger.outbox WHERE customer_id = $1 ORDER BY notice_id",
        customer_id,
    )
    pools = await sql.rows("SELECT settled_time FROM ledger.pools WHERE customer_id = $1", customer_id)
    return {"grants": grants, "entries": entries, "crossings": crossings, "pools": pools}


# Each row: the seed, and with how many grants of 1 credit it begins. 110 are more than are added up first.
@pytest.mark.parametrize(
    ("seed", "grants"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 110), (8, 110), (9, 110)]
)
async def test_what_is_written_does_not_depend_on_whether_the_other_grants_were_read(
    books: Books, sql: Sql, seed: int, grants: int
) -> None:
    random = Random(seed)
    await books.sign(GLOBEX)
    partial, whole = Customer(books, ACME, reads_all=False), Customer(books, GLOBEX, reads_all=True)
    for customer in (partial, whole):
        for _ in range(grants):
            await customer.issue(1, None, None)

    for version in range(1, STEPS + 1):
        if random.random() < 0.15:
            await _tell(books, _watch(random, random.randrange(4), version=version))
        pause = random.choice([0, 0, 1, 200, 4_000, 90_000])
        books.clock.advance_to(books.clock.now() + timedelta(seconds=pause))
        method, arguments = _step(random, books.clock.now())
        answers = [await getattr(one, method)(*arguments) for one in (partial, whole)]
        assert answers[0] == answers[1], (method, arguments)

    assert await _history(sql, ACME) == await _history(sql, GLOBEX)
    assert (await books.store.verify(None)).discrepancies == ()


async def _told(sql: Sql) -> list[tuple[bool, int]]:
    """Return the crossings of the only watch: in alarm, and whole credits."""
    crossings = await sql.rows("SELECT payload FROM ledger.outbox ORDER BY notice_id")
    told = [json.loads(row["payload"]) for row in crossings]
    return [(one["in_alarm"], one["value_micros"] // 1_000_000) for one in told]


def _low_watch(threshold: int) -> Watch:
    return Watch(
        alert_id="alr_1",
        version=1,
        kind=WatchKind.LOW_BALANCE,
        customer_id=ACME,
        credit_type_id=AI,
        threshold=Credits.of(threshold),
        rearm=Credits.of(threshold),
        group_key="",
        group_value="",
    )


# Each row: the threshold of a watch that was observed above it, and what is added up of 150 grants of 1 credit.
@pytest.mark.parametrize(("threshold", "unread"), [(None, 0), (99, 100), (100, 150), (149, 150)])
async def test_of_the_other_grants_only_as_many_are_added_up_as_a_watch_needs(
    books: Books, threshold: int | None, unread: int
) -> None:
    (included,) = (await books.read()).grants
    for _ in range(150):
        await books.top_up(1)
    if threshold is not None:
        await books.copies.watch_threshold(WatchUpdate(watch=_low_watch(threshold), is_active=True))

    selection = AccountSelection(only_grants=frozenset({included}))
    readings = await books.store.run(lambda tx: tx.accounts.read_many({(ACME, AI): selection}, at=JUNE))

    account = readings[ACME, AI].account
    assert list(account.grants) == [included]
    assert account.unread == Credits.of(unread)


async def test_held_credits_of_an_expired_grant_are_not_added_up(books: Books, sql: Sql) -> None:
    minute = timedelta(minutes=1)
    await books.top_up(100, expire_time=JUNE + minute)
    await books.debit(400)
    await books.authorize(60)
    await books.copies.watch_threshold(WatchUpdate(watch=_low_watch(10), is_active=True))
    books.clock.advance_to(JUNE + minute)
    await books.settlement.settle(ACME, AI, at=JUNE + minute)

    await books.top_up(11)

    assert await _told(sql) == [(False, 100), (True, 0), (False, 11)]


async def test_a_new_version_of_a_watch_on_every_customer_reports_exactly_what_remains(
    books: Books, sql: Sql
) -> None:
    for _ in range(150):
        await books.top_up(1)
    everybody = replace(_low_watch(500), customer_id=None)
    await books.copies.watch_threshold(WatchUpdate(watch=everybody, is_active=True))
    await books.debit(60)
    lower = replace(everybody, version=2, threshold=Credits.of(50))
    await books.copies.watch_threshold(WatchUpdate(watch=lower, is_active=True))

    await books.top_up(1)

    assert await _told(sql) == [(True, 490), (False, 490)]
