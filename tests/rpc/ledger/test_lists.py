# SPDX-License-Identifier: Apache-2.0
"""ListSpendCaps, ListGrants, ListEntries, ListHolds: page by page, each token for its own list and filters."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from access.control import INSECURE
from meshkit.clock import ManualClock
from meshkit.page import next_token
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, running_ledger
from tests.support.postgres import Databases

ROWS = 5


class SteppingClock(ManualClock):
    """A clock that moves on by `step` each time it is read."""

    step = timedelta(0)

    def now(self) -> datetime:
        at = super().now()
        self.advance(self.step)
        return at


@dataclass(frozen=True, slots=True)
class List:
    """A list of acme's with 5 rows and a few of others'. others: filters under which its token is refused."""

    rpc: str
    rows: str
    fill: Callable[[RunningLedger], Awaitable[object]]
    asked: dict[str, object]
    others: tuple[dict[str, object], ...]
    key: Callable[[Any], Any]

    async def page(self, ledger: RunningLedger, **more: object) -> Any:
        request = getattr(admin, f"{self.rpc}Request")
        return await getattr(ledger.admin, self.rpc)(request(**(self.asked | more)))


async def _caps(ledger: RunningLedger) -> None:
    for user in ("", "ann", "bob", "eve", "joe"):
        await ledger.set_cap(1, user=user)
    await ledger.set_cap(1, user="ann", customer="globex")


async def _grants(ledger: RunningLedger) -> None:
    for number in range(ROWS - 1):
        await ledger.top_up(number + 1)
    await ledger.top_up(1, credit_type_id="crt_image")
    await ledger.top_up(1, customer="globex")


async def _entries(ledger: RunningLedger) -> None:
    await ledger.top_up(1, customer="globex")
    await ledger.top_up(1, credit_type_id="crt_image")
    for _ in range(ROWS - 1):
        await ledger.debit(1)


async def _holds(ledger: RunningLedger) -> None:
    for _ in range(ROWS):
        await ledger.authorize(1)


LISTS = [
    List(
        "ListSpendCaps",
        "spend_caps",
        _caps,
        {"customer": "acme"},
        ({"customer": "globex"},),
        lambda cap: (cap.credit_type_id, cap.group_key, cap.group_value),
    ),
    List(
        "ListGrants",
        "grants",
        _grants,
        {"customer": "acme", "credit_type_id": AI},
        ({"customer": "globex"}, {"credit_type_id": ""}, {"credit_type_id": "crt_image"}),
        lambda grant: grant.grant_id,
    ),
    List(
        "ListEntries",
        "entries",
        _entries,
        {"customer": "acme", "credit_type_id": AI},
        ({"customer": "globex"}, {"credit_type_id": "crt_image"}, {"grant_id": "grt_1"}),
        lambda entry: -entry.sequence,
    ),
    List(
        "ListHolds",
        "holds",
        _holds,
        {"customer": "acme"},
        ({"customer": "globex"}, {"hold_state": admin.HOLD_STATE_HELD}),
        lambda hold: tuple(-ord(letter) for letter in hold.hold_id),
    ),
]
every_list = pytest.mark.parametrize("one", LISTS, ids=lambda one: one.rpc)


@every_list
async def test_a_list_is_told_page_by_page_to_its_end(ledger: RunningLedger, one: List) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await one.fill(ledger)

    pages: list[list[Any]] = []
    token = ""
    while not pages or token:
        page = await one.page(ledger, page_size=2, page_token=token)
        pages.append(list(getattr(page, one.rows)))
        token = page.next_page_token
    whole = await one.page(ledger, page_size=ROWS)
    by_default = await one.page(ledger)

    assert [len(rows) for rows in pages] == [2, 2, 1]
    rows = [row for page in pages for row in page]
    assert rows == list(getattr(whole, one.rows)) == list(getattr(by_default, one.rows))
    assert whole.next_page_token == ""
    assert rows == sorted(rows, key=one.key)
    assert len({str(one.key(row)) for row in rows}) == ROWS


@every_list
async def test_a_token_is_good_for_its_own_list_and_filters_only(ledger: RunningLedger, one: List) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await one.fill(ledger)
    token = (await one.page(ledger, page_size=2)).next_page_token

    for other in one.others:
        with bad_fields("page_token"):
            await one.page(ledger, page_token=token, **other)
    for other_list in LISTS:
        if other_list is not one:
            with bad_fields("page_token"):
                await other_list.page(ledger, page_token=token)
    with bad_fields("page_size", "page_token"):
        await one.page(ledger, page_token=f"{token}x", page_size=-1)
    with bad_fields("customer"):
        await one.page(ledger, customer="")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await one.page(ledger, customer="nobody")


async def test_what_lists_are_narrowed_by_is_checked(ledger: RunningLedger) -> None:
    with bad_fields("credit_type_id"):
        await ledger.admin.ListGrants(admin.ListGrantsRequest(customer="acme", credit_type_id="\n"))
    with bad_fields("credit_type_id", "grant_id"):
        await ledger.entries(credit_type_id="", grant_id="\n")
    with bad_fields("hold_state"):
        await ledger.holds(hold_state=77)


@pytest.mark.parametrize("key", ["soon", "-1", "1e3", str(2**63)])
async def test_a_made_up_token_of_entries_is_a_bad_field(ledger: RunningLedger, key: str) -> None:
    filters = {"list": "entries", "customer": "acme", "credit_type_id": AI, "grant_id": ""}
    token = next_token([key], filters)

    with bad_fields("page_token"):
        await ledger.admin.ListEntries(
            admin.ListEntriesRequest(customer="acme", credit_type_id=AI, page_token=token)
        )


async def test_entries_of_one_grant_are_told_apart_without_gaps_in_the_whole(ledger: RunningLedger) -> None:
    bought = await ledger.top_up(100)
    await ledger.debit(450)

    of_grant = await ledger.entries(grant_id=bought.grant_id)
    all_of_them = await ledger.entries()

    assert [(one.entry_kind, one.amount_micros // CREDIT) for one in of_grant] == [
        (admin.ENTRY_KIND_CAPTURE, -50),
        (admin.ENTRY_KIND_GRANT, 100),
    ]
    assert [one.sequence for one in all_of_them] == [4, 3, 2, 1]
    assert await ledger.entries(grant_id="grt_unknown") == []


async def test_lists_tell_what_the_clock_has_made_so(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(30, hold_ttl=Duration(seconds=60), user="ann")
    ledger.clock.advance_to(JULY)

    (expired,) = await ledger.holds(hold_state=admin.HOLD_STATE_EXPIRED)
    june, july = await ledger.grants()

    assert expired == admin.Hold(
        hold_id=hold.hold_id,
        credit_type_id=AI,
        product_id="prd_assistant",
        hold_state=admin.HOLD_STATE_EXPIRED,
        amount_micros=30 * CREDIT,
        group_values={"user_id": "ann"},
        create_time=timestamp(JUNE),
        expire_time=timestamp(JUNE + timedelta(seconds=60)),
        subject=INSECURE.subject,
    )
    assert await ledger.holds(hold_state=admin.HOLD_STATE_HELD) == []
    assert (june.expired_micros, june.available_micros) == (400 * CREDIT, 0)
    assert (july.granted_micros, july.available_micros) == (400 * CREDIT, 400 * CREDIT)
    assert [one.entry_kind for one in await ledger.entries()] == [
        admin.ENTRY_KIND_GRANT,
        admin.ENTRY_KIND_EXPIRY,
        admin.ENTRY_KIND_GRANT,
    ]


async def test_holds_are_told_by_their_state(ledger: RunningLedger) -> None:
    held, captured, released = [await ledger.authorize(10) for _ in range(3)]
    await ledger.capture(captured.hold_id, 4)
    await ledger.release(released.hold_id)

    told = {
        state: [(one.hold_id, one.amount_micros // CREDIT, one.captured_micros // CREDIT) for one in rows]
        for state in (admin.HOLD_STATE_HELD, admin.HOLD_STATE_CAPTURED, admin.HOLD_STATE_RELEASED)
        if (rows := await ledger.holds(hold_state=state))
    }

    assert told == {
        admin.HOLD_STATE_HELD: [(held.hold_id, 10, 0)],
        admin.HOLD_STATE_CAPTURED: [(captured.hold_id, 10, 4)],
        admin.HOLD_STATE_RELEASED: [(released.hold_id, 10, 0)],
    }
    assert [one.hold_id for one in await ledger.holds()] == [
        released.hold_id,
        captured.hold_id,
        held.hold_id,
    ]


async def test_one_hold_is_listed_by_its_id(ledger: RunningLedger) -> None:
    first, second = await ledger.authorize(10), await ledger.authorize(20)
    await ledger.release(first.hold_id)

    async def listed(**more: Any) -> list[str]:
        request = admin.ListHoldsRequest(customer="acme", **more)
        return [one.hold_id for one in (await ledger.admin.ListHolds(request)).holds]

    assert await listed(hold_id=first.hold_id) == [first.hold_id]
    assert await listed(hold_id=first.hold_id, hold_state=admin.HOLD_STATE_HELD) == []
    assert await listed(hold_id="hld_unknown") == []
    assert await listed() == [second.hold_id, first.hold_id]


async def test_a_list_reads_the_clock_once(databases: Databases) -> None:
    minute = timedelta(minutes=1)
    clock = SteppingClock(JUNE)
    async with running_ledger(databases, clock=clock) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        await ledger.authorize(10, hold_ttl=minute)
        await ledger.top_up(7, expire_time=timestamp(JUNE + 2 * minute))
        clock.step = minute  # so that a second reading is at the end of the hold, and then of the grant

        (hold,) = await ledger.holds(hold_state=admin.HOLD_STATE_HELD)
        *_, grant = await ledger.grants()

    assert hold.hold_state == admin.HOLD_STATE_HELD
    assert grant.available_micros == 7 * CREDIT
