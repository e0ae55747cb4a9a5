# SPDX-License-Identifier: Apache-2.0
"""The automatic top-up on its page: turned on, buying by itself, stopped for a reason that is said, and turned off."""

import re

import httpx
import pytest

from deploy.local.stripe import DECLINED_CARD, SECURE_CARD
from tests.support.buyer import Buyer, Counter
from tests.support.mesh import until
from tests.support.portal import form_fields

pytestmark = pytest.mark.asyncio(loop_scope="package")
PATH = "/auto-top-up"
LIMITS = {"threshold": "100", "recharge_to": "1,000", "monthly_limit": "500"}


def state(page: str) -> str:
    found = re.search(r"data-state>([^<]*)<", page)
    assert found is not None, page
    return found[1]


async def turn_on(buyer: Buyer, **fields: str) -> httpx.Response:
    shown = await buyer.get(PATH)
    offers = re.findall(r'<option value="([^"]*)"', shown)
    return await buyer.send(PATH, {"offer": offers[0], **LIMITS, **fields}, shown_at=PATH)


async def test_it_buys_a_pack_when_few_credits_are_left(buyer: Buyer) -> None:
    await buyer.save_card()
    on = await turn_on(buyer)
    assert (on.status_code, state(on.text)) == (200, "On")
    assert 'value="100"' in on.text

    await buyer.spend(300)
    assert await until(buyer.remaining, lambda left: left > 100) == 1_100

    shown = await buyer.get(PATH)
    assert "$80.00 of $500.00" in shown
    assert "1 of 5" in shown
    assert '<span class="badge good">Paid</span>' in await buyer.get("/top-ups")


async def test_it_is_changed_turned_off_and_on_again(buyer: Buyer) -> None:
    await buyer.save_card()
    await turn_on(buyer)

    changed = await turn_on(buyer, threshold="50.5")
    assert 'value="50.5"' in changed.text
    off = re.search(rf'action="({PATH}/atu_\w+/disable)"', changed.text)
    assert off is not None
    ended = await buyer.send(off[1], shown_at=PATH)
    assert state(ended.text) == "Off"
    assert "It was turned off." in ended.text
    assert "/disable" not in ended.text

    assert state((await turn_on(buyer)).text) == "On"


async def test_without_a_card_it_says_where_to_save_one(buyer: Buyer) -> None:
    assert "No card is saved, and an automatic top-up needs one." in await buyer.get(PATH)

    refused = await turn_on(buyer)

    assert refused.status_code == 400
    assert "payment method" in refused.text
    assert 'value="500"' in refused.text  # what was typed is still there


async def test_a_wrong_field_says_what_is_wrong_and_keeps_the_others(buyer: Buyer) -> None:
    await buyer.save_card()
    wrong = {
        "many": {"threshold": "many"},
        "less than nothing": {"threshold": "-1"},
        "seven decimals": {"monthly_limit": "0.0000001"},
        "not a number": {"recharge_to": "NaN"},
        "endless": {"recharge_to": "Infinity"},
        "too much": {"monthly_limit": "9" * 30},
        "not above the threshold": {"recharge_to": "100"},
        "less than a pack": {"monthly_limit": "79.99"},
        "no such pack": {"offer": "con_1/pck_1"},
    }

    for why, fields in wrong.items():
        refused = await turn_on(buyer, **fields)
        [name] = fields
        assert refused.status_code == 400, why
        assert f'id="{name}-error-1"' in refused.text, why

    assert (await turn_on(buyer, recharge_to="100.000001", monthly_limit="80")).status_code == 200


async def test_a_declined_card_pauses_it_and_the_page_says_why(buyer: Buyer) -> None:
    await buyer.save_card(DECLINED_CARD)
    await turn_on(buyer)
    await buyer.spend(300)

    shown = await until(lambda: buyer.get(PATH), lambda page: state(page) == "Paused")

    assert "The last order could not be paid. Save another card, then turn it on again." in shown


async def test_a_payment_that_the_bank_wants_confirmed_leads_to_its_order(buyer: Buyer) -> None:
    await buyer.save_card(SECURE_CARD)
    await turn_on(buyer)
    await buyer.spend(300)
    shown = await until(lambda: buyer.get(PATH), lambda page: "Open the order and pay it." in page)
    order = re.search(r'href="(/top-ups/top_\w+)"', shown)
    assert order is not None

    asked = await buyer.pay(order[1])
    back = await buyer.confirm(asked, "succeeded")

    assert 'data-state="PAID"' in back.text
    assert await buyer.remaining() == 1_100


async def test_that_of_another_customer_is_not_there(buyer: Buyer, counter: Counter) -> None:
    await buyer.save_card()
    await turn_on(buyer)
    own = re.search(r'action="(/auto-top-up/atu_\w+/disable)"', await buyer.get(PATH))
    assert own is not None
    async with counter.buyer() as other:
        fields = form_fields(await other.get(PATH), PATH)
        answer = await other.browser.post(own[1], data=fields, headers={"origin": other.browser.origin})

    assert answer.status_code == 404
    assert state(await buyer.get(PATH)) == "On"
