# SPDX-License-Identifier: Apache-2.0
"""Seats: price and credits before they are confirmed; who has one; several contracts."""

import re
from typing import Any

import pytest
import pytest_asyncio

from meshkit.quantity import MICROS
from purser.contract.v1 import contract_pb2 as pb
from tests.support.mesh import THIRD_OF_JUNE, advance
from tests.support.portal import Browser, PortalMesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKUP = "<img src=x onerror=alert(1)>"


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def named(portal: PortalMesh) -> pb.Contract:
    """A second contract of Acme, with three named seats of which Ada has one."""
    acme = portal.acme
    signed = await acme.stubs.contract.CreateContract(
        pb.CreateContractRequest(
            request_id="named",
            customer="acme",
            name=f"Design {MARKUP}",
            rate_card_id=acme.offer.rate_card,
            start_time=acme.contract.start_time,
            subscriptions=[
                pb.SubscriptionTerms(
                    product_id=acme.offer.team_plan,
                    billing_frequency=pb.BILLING_FREQUENCY_MONTHLY,
                    quantity_management=pb.QUANTITY_MANAGEMENT_SEAT_BASED,
                    seat_group_key="user_id",
                    initial_quantity=3,
                    initial_seat_ids=["ada"],
                    proration=pb.SeatProration(is_prorated=True),
                )
            ],
            grant_schedules=[
                pb.GrantScheduleTerms(
                    product_id=acme.offer.included,
                    credit_type_id=acme.offer.ai_credits,
                    unit_amount_micros=70 * MICROS,
                    frequency=pb.GRANT_FREQUENCY_MONTHLY,
                    subscription_index=0,
                    allocation=pb.ALLOCATION_INDIVIDUAL,
                )
            ],
        )
    )
    await advance(acme.stubs, THIRD_OF_JUNE)
    return signed.contract


def of(contract: pb.Contract, **more: Any) -> dict[str, Any]:
    subscription = contract.subscriptions[0].subscription_id
    return {"contract_id": contract.contract_id, "subscription_id": subscription, **more}


async def seats(portal: PortalMesh, contract: pb.Contract) -> tuple[int, list[str]]:
    listed = await portal.acme.stubs.contract.ListSeats(pb.ListSeatsRequest(contract_id=contract.contract_id))
    return listed.quantity, [seat.seat_id for seat in listed.seats]


async def confirm(browser: Browser, preview: str, **more: str) -> str:
    """Press the button on a preview; returns the page after it."""
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', preview))
    answer = await browser.post("/seats/change", data={**hidden, **more}, headers={"origin": browser.origin})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_all_contracts_are_shown_with_their_seats(browser: Browser) -> None:
    shown = (await browser.get("/seats")).text

    assert shown.count("<section") == 2
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert MARKUP not in shown
    assert ">ada<" in shown
    assert re.search(r'Credits of the seat">70 <span class="muted">AI credits<', shown)
    assert "$100.00" in shown


async def test_price_and_credits_are_shown_before_a_seat_is_added(
    portal: PortalMesh, browser: Browser
) -> None:
    contract = portal.acme.contract
    before = await portal.acme.available()

    preview = await browser.get("/seats/preview", params=of(contract, direction="add", count="1"))

    assert "Add 1 seat" in preview.text
    assert "$99.45" in preview.text  # 363 of 365 days at 100 USD
    assert "+ 93.33" in preview.text  # 28 of 30 days of 100 credits
    assert (await seats(portal, contract))[0] == 4
    assert "The seats are changed." in await confirm(browser, preview.text)
    assert (await seats(portal, contract))[0] == 5
    assert await portal.acme.available() == before + 93_333_333


async def test_a_confirmation_sent_twice_adds_one_seat(portal: PortalMesh, browser: Browser) -> None:
    preview = await browser.get("/seats/preview", params=of(portal.acme.contract, direction="add", count="1"))
    before = (await seats(portal, portal.acme.contract))[0]

    for _ in range(2):
        await confirm(browser, preview.text)

    assert (await seats(portal, portal.acme.contract))[0] == before + 1


async def test_a_removed_seat_costs_nothing_now(portal: PortalMesh, browser: Browser) -> None:
    before = (await seats(portal, portal.acme.contract))[0]

    preview = await browser.get(
        "/seats/preview", params=of(portal.acme.contract, direction="remove", count="1")
    )

    assert "Remove 1 seat" in preview.text
    assert "Nothing" in preview.text
    await confirm(browser, preview.text)
    assert (await seats(portal, portal.acme.contract))[0] == before - 1


async def test_named_seats_are_assigned_transferred_and_freed(
    portal: PortalMesh, browser: Browser, named: pb.Contract
) -> None:
    async def change(**fields: str) -> str:
        shown = (await browser.get("/seats/preview", params=of(named, direction="add", count="1"))).text
        return await confirm(browser, shown, **of(named), direction="add", count="0", **fields)

    assert "The seats are assigned." in await change(assign="grace\r\n  linus  \r\n\r\n")
    assert (await seats(portal, named)) == (3, ["ada", "grace", "linus"])
    assert "The seat is transferred." in await change(**{"from": "ada", "to": MARKUP})
    shown = await change(unassign="grace")
    assert "The seat is free for somebody else." in shown
    assert (await seats(portal, named)) == (3, [MARKUP, "linus"])
    assert MARKUP not in shown


async def test_a_person_is_removed_with_the_seat(
    portal: PortalMesh, browser: Browser, named: pb.Contract
) -> None:
    preview = await browser.get(
        "/seats/preview", params=of(named, direction="remove", count="1", unassign="linus")
    )

    assert "Loses the seat" in preview.text
    await confirm(browser, preview.text)
    assert (await seats(portal, named)) == (2, [MARKUP])


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"count": "0"}, 400, "at least 1"),
        ({"count": "1.5"}, 400, "must be a whole number"),
        ({"count": "-1"}, 400, "must be a whole number"),
        ({"count": "9999999999"}, 400, "must be a whole number"),
        ({"count": "²"}, 400, "must be a whole number"),
        ({"count": "1", "contract_id": "con_other"}, 404, "con_other"),
        ({"count": "1000", "direction": "remove"}, 409, "seats"),
    ],
)
async def test_a_change_that_cannot_be_is_refused_in_words(
    portal: PortalMesh, browser: Browser, fields: dict[str, str], status: int, says: str
) -> None:
    asked = of(portal.acme.contract, direction="add") | fields

    refused = await browser.get("/seats/preview", params=asked)

    assert (refused.status_code, says in refused.text) == (status, True), refused.text


async def test_another_customers_contract_is_not_found(portal: PortalMesh, named: pb.Contract) -> None:
    acme = portal.acme
    other = await acme.stubs.contract.CreateCustomer(
        pb.CreateCustomerRequest(request_id="other", name="Other", aliases=["other"])
    )
    async with portal.browser(customer=other.customer.customer_id) as browser:
        shown = await browser.get("/seats")
        refused = await browser.get("/seats/preview", params=of(named, direction="add", count="1"))

    assert "There is no contract with seats." in shown.text
    assert refused.status_code == 404
    assert MARKUP not in refused.text
