# SPDX-License-Identifier: Apache-2.0
"""What goes together in one batch: each request is answered by itself, once, in order, and only from what is so."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from meshkit.errors import FieldViolation, InvalidFields, RequestIdReused
from meshkit.quantity import Credits
from services.ledger.domain.copies import CustomerUpdate
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.gate.commands import Debit
from services.ledger.domain.gate.decision import Debited, DenialReason
from services.ledger.operations.gate.batch import GateRpc
from services.ledger.operations.gate.gate import Gate
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import ACME, ASSISTANT, Books, ask, open_books
from tests.support.postgres import Databases

GLOBEX = CustomerId("cus_globex")
SEEN = pytest.mark.parametrize("is_seen", [False, True], ids=["unseen", "seen"])


def _debit(request_id: str, credits: int, *, customer: str = ACME, body: bytes = b"") -> Debit:
    return Debit(
        request_id=request_id,
        fingerprint=body,
        customer=customer,
        product_id=ASSISTANT,
        amount=Credits.of(credits),
        group_values={},
    )


async def _see(books: Books) -> None:
    """Let the gate have acme's pool in memory, as it is."""
    await books.debit(1)
    await books.debit(1)


async def _together(gate: Gate, commands: Sequence[Debit]) -> list[Any]:
    """Ask each by a call of its own, all of them before the first is looked at."""
    return await asyncio.gather(*(ask(gate, command) for command in commands), return_exceptions=True)


def _again(cause: str) -> float:
    return REGISTRY.get_sample_value("ledger_decided_again_total", {"cause": cause}) or 0.0


@SEEN
async def test_one_that_breaks_the_rules_fails_alone(books: Books, is_seen: bool) -> None:
    if is_seen:
        await _see(books)
    poison = replace(_debit("poison", 1), amount="a credit")  # type: ignore[arg-type]
    before = (await books.read()).available(books.clock.now())

    answers = await _together(books.gate, [_debit("a", 10), poison, _debit("b", 20), _debit("c", 1_000)])

    assert isinstance(answers[1], TypeError)
    assert [answer.debited for answer in (answers[0], answers[2])] == [Credits.of(10), Credits.of(20)]
    assert answers[3].reason is DenialReason.INSUFFICIENT_CREDITS
    assert (await books.read()).available(books.clock.now()) == before - Credits.of(30)


async def test_one_that_cannot_be_read_hears_why_and_the_others_are_carried_out(books: Books) -> None:
    def refuse(request: object) -> Debit:
        raise InvalidFields([FieldViolation("customer", "is required")])

    refused, debited = await asyncio.gather(
        books.gate.call("garbled", GateRpc(read=refuse, write=str)),
        ask(books.gate, _debit("good", 10)),
        return_exceptions=True,
    )

    assert isinstance(refused, InvalidFields)
    assert debited.debited == Credits.of(10)


async def test_what_was_done_stays_done_when_its_answer_cannot_be_written(books: Books) -> None:
    def break_down(answer: object) -> str:
        raise ValueError("no words")

    before = (await books.read()).available(books.clock.now())

    with pytest.raises(ValueError, match="no words"):
        await books.gate.call(
            _debit("told-badly", 10), GateRpc(read=lambda command: command, write=break_down)
        )

    assert (await books.read()).available(books.clock.now()) == before - Credits.of(10)


@SEEN
async def test_one_request_by_id_and_by_alias_is_carried_out_once(books: Books, is_seen: bool) -> None:
    await books.copies.apply_customer(
        CustomerUpdate(customer_id=ACME, version=2, aliases=("acme",), is_suspended=False)
    )
    if is_seen:
        await _see(books)
        await ask(books.gate, _debit("by-alias", 1, customer="acme"))
    before = (await books.read()).available(books.clock.now())

    answers = await _together(
        books.gate,
        [
            _debit("one", 10),
            _debit("one", 10, customer="acme"),
            _debit("one", 11, customer="acme", body=b"another"),
            _debit("one", 10),
            _debit("two", 5, customer="acme"),
        ],
    )

    assert answers[0] == answers[1] == answers[3]
    assert isinstance(answers[2], RequestIdReused)
    assert isinstance(answers[4], Debited)
    assert (await books.read()).available(books.clock.now()) == before - Credits.of(15)


async def test_calls_are_decided_in_the_order_of_their_coming(books: Books) -> None:
    await _see(books)

    answers = await _together(
        books.gate, [_debit("a", 300), _debit("b", 99), _debit("c", 98), _debit("d", 1), _debit("e", 0)]
    )

    assert [answer.reason is None for answer in answers] == [True, False, True, False, True]
    assert [answer.available for answer in answers] == list(map(Credits.of, [98, 98, 0, 0, 0]))


async def test_what_memory_would_deny_is_decided_by_what_is_so(databases: Databases, books: Books) -> None:
    await _see(books)
    hold = await books.authorize(398)
    assert hold.hold_id is not None
    async with open_books(databases, clock=books.clock) as other:
        await other.capture(hold.hold_id, 0)
    denied_by_memory = _again("denied")

    answer = await books.debit(398)

    assert answer.reason is None
    assert _again("denied") == denied_by_memory + 1


async def test_an_alias_that_has_gone_to_another_customer_is_looked_up_anew_before_a_denial(
    databases: Databases, books: Books
) -> None:
    await books.copies.apply_customer(
        CustomerUpdate(customer_id=ACME, version=2, aliases=("acme",), is_suspended=False)
    )
    await ask(books.gate, _debit("seen", 1, customer="acme"))
    async with open_books(databases, clock=books.clock) as other:
        await other.copies.apply_customer(
            CustomerUpdate(customer_id=ACME, version=3, aliases=(), is_suspended=False)
        )
        await other.copies.apply_customer(
            CustomerUpdate(customer_id=GLOBEX, version=1, aliases=("acme",), is_suspended=False)
        )

    answer = await ask(books.gate, _debit("too-much", 10_000, customer="acme"))

    # Globex has no contract; acme, of which memory still knows by that name, has too few credits.
    assert answer.reason is DenialReason.NOT_ENTITLED


async def test_what_memory_would_allow_is_decided_by_what_is_so(databases: Databases, books: Books) -> None:
    await _see(books)
    async with open_books(databases, clock=books.clock) as other:
        await other.debit(398)
    outrun = _again("outrun")

    answer = await books.debit(1)

    assert answer.reason is DenialReason.INSUFFICIENT_CREDITS
    assert _again("outrun") == outrun + 1


@pytest.mark.plain_postgres(
    "waits for the lane's first statement; on Citus each customer's is preceded by another"
)
async def test_a_caller_that_goes_away_takes_nobody_along(books: Books, sql: Sql) -> None:
    await _see(books)
    async with sql.transaction():
        await sql.lock("pools")
        in_flight = [asyncio.ensure_future(ask(books.gate, _debit(f"first-{n}", 1))) for n in range(3)]
        await sql.until_somebody_waits()
        behind = [asyncio.ensure_future(ask(books.gate, _debit(f"later-{n}", 1))) for n in range(3)]
        await asyncio.wait(behind, timeout=0)
        in_flight[0].cancel()
        behind[1].cancel()
    answers = await asyncio.gather(*in_flight, *behind, return_exceptions=True)

    gone = [isinstance(answer, asyncio.CancelledError) for answer in answers]
    assert gone == [True, False, False, False, True, False]
    # What was on its way when its caller went is done, what had not begun is not.
    causes = [
        row["cause_id"] for row in await sql.rows("SELECT cause_id FROM ledger.entries ORDER BY sequence")
    ]
    assert causes[-5:] == ["first-0", "first-1", "first-2", "later-0", "later-2"]


async def test_a_caller_whose_time_is_up_is_not_served(books: Books, sql: Sql) -> None:
    left_seconds = iter([60.0, 0.0, None])
    gate = Gate(books.lane, left_seconds=lambda: next(left_seconds))

    answers = await _together(gate, [_debit("in-time", 1), _debit("late", 1), _debit("patient", 1)])

    assert isinstance(answers[1], asyncio.CancelledError)
    assert [answers[n].reason for n in (0, 2)] == [None, None]
    assert await sql.value("SELECT count(*) FROM ledger.entries WHERE cause_id = 'late'") == 0
