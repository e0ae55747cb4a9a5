# SPDX-License-Identifier: Apache-2.0
"""Top-ups on pages: bought, paid with a card, declined, confirmed at the bank, abandoned, and everything sent twice."""

import re

import pytest

from deploy.local.stripe import CARD, DECLINED_CARD, SECURE_CARD, Fault
from meshkit.quantity import MICROS
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as contract
from purser.type.v1.money_pb2 import Money
from tests.support.buyer import Buyer, Counter
from tests.support.portal import form_fields

pytestmark = pytest.mark.asyncio(loop_scope="package")
GIVEN = 400  # credits that the seats include


def state(page: str) -> str:
    found = re.search(r'data-state="(\w+)"', page)
    assert found is not None, page
    return found[1]


async def test_a_pack_is_bought_and_paid_with_the_saved_card(buyer: Buyer) -> None:
    await buyer.save_card()

    path = await buyer.order()
    waits = await buyer.get(path)
    assert state(waits) == "PENDING_PAYMENT"
    assert "Pay $80.00 with visa ···· 4242" in waits
    paid = await buyer.pay(path)

    assert state(paid) == "PAID"
    receipt = re.search(r'href="(/invoices/inv_\w+)">Invoice \d{6}<', paid)
    assert receipt is not None
    assert "<strong data-due>$0.00</strong>" in await buyer.get(receipt[1])
    assert await buyer.remaining() == GIVEN + 1_000
    listed = await buyer.get("/top-ups")
    assert f'href="{path}"' in listed
    assert '<span class="badge good">Paid</span>' in listed


async def test_a_declined_card_leaves_the_order_open_for_another_one(buyer: Buyer) -> None:
    await buyer.save_card(DECLINED_CARD, decline_code="insufficient_funds")
    path = await buyer.order()

    declined = await buyer.pay(path)
    assert state(declined) == "PENDING_PAYMENT"
    assert "There is not enough money on the card. Use another card, or pay again later." in declined
    assert f'href="/card?back={path}"' in declined
    await buyer.save_card(CARD)

    assert state(await buyer.pay(path)) == "PAID"
    assert await buyer.remaining() == GIVEN + 1_000


async def test_the_payer_confirms_at_the_bank_and_comes_back_to_the_order(buyer: Buyer) -> None:
    await buyer.save_card(SECURE_CARD)
    path = await buyer.order()

    asked = await buyer.pay(path)
    assert state(asked) == "PENDING_PAYMENT"
    back = await buyer.confirm(asked, "succeeded")

    assert back.url.path == path
    assert state(back.text) == "PAID"
    assert await buyer.remaining() == GIVEN + 1_000


async def test_an_address_that_claims_success_is_not_believed(buyer: Buyer) -> None:
    await buyer.save_card(SECURE_CARD)
    path = await buyer.order()
    asked = await buyer.pay(path)

    claimed = await buyer.get(f"{path}?redirect_status=succeeded&payment_intent=pi_1")
    assert state(claimed) == "PENDING_PAYMENT"
    refused = await buyer.confirm(asked, "failed")

    assert state(refused.text) == "PENDING_PAYMENT"
    assert "The payment was not confirmed at your bank. Pay again, or use another card." in refused.text
    assert await buyer.remaining() == GIVEN


async def test_an_order_that_is_given_up_cannot_be_paid(buyer: Buyer) -> None:
    await buyer.save_card()
    path = await buyer.order()
    pay = form_fields(await buyer.get(path), f"{path}/pay")

    given_up = await buyer.send(f"{path}/cancel", shown_at=path)
    assert state(given_up.text) == "CANCELLED"
    refused = await buyer.browser.post(f"{path}/pay", data=pay, headers={"origin": buyer.browser.origin})

    assert refused.status_code == 409
    assert "CANCELLED" in refused.text
    assert await buyer.remaining() == GIVEN


async def test_an_order_that_is_left_alone_costs_nothing(buyer: Buyer) -> None:
    await buyer.save_card()

    path = await buyer.order()

    assert state(await buyer.get(path)) == "PENDING_PAYMENT"
    assert "Pay until" in await buyer.get(path)
    assert await buyer.remaining() == GIVEN


async def test_forms_that_are_sent_twice_order_and_charge_once(buyer: Buyer) -> None:
    await buyer.save_card()
    origin = {"origin": buyer.browser.origin}
    before = len(await buyer.counter.stripe.payments())

    order = form_fields(await buyer.get("/top-ups"), "/top-ups")
    first, again = [await buyer.browser.post("/top-ups", data=order, headers=origin) for _ in range(2)]
    path = first.url.path
    pay = form_fields(await buyer.get(path), f"{path}/pay")
    paid = [await buyer.browser.post(f"{path}/pay", data=pay, headers=origin) for _ in range(2)]

    assert again.url.path == path
    assert [state(one.text) for one in paid] == ["PAID", "PAID"]
    assert len(await buyer.counter.stripe.payments()) == before + 1
    assert await buyer.remaining() == GIVEN + 1_000


async def test_an_order_of_another_customer_is_not_there(buyer: Buyer, counter: Counter) -> None:
    await buyer.save_card()
    own = await buyer.order()
    async with counter.buyer("somebody else") as other:
        path = await other.order()

    fields = form_fields(await buyer.get(own), f"{own}/pay")
    answers = [await buyer.browser.get(path)]
    for verb in ("pay", "cancel"):
        answers.append(
            await buyer.browser.post(f"{path}/{verb}", data=fields, headers={"origin": buyer.browser.origin})
        )

    assert [one.status_code for one in answers] == [404, 404, 404]


async def test_only_the_page_that_enters_a_card_may_load_stripe(buyer: Buyer) -> None:
    path = await buyer.order()
    waits = await buyer.browser.get(path)
    assert "Save a card first" in waits.text

    begun = await buyer.send("/card", {"back": path}, shown_at="/card")

    stripe = buyer.counter.stripe.address
    policy = begun.headers["content-security-policy"]
    assert f"script-src 'self' {stripe};" in policy
    assert f"frame-src {stripe};" in policy
    assert f"connect-src 'self' {stripe};" in policy
    assert f'<script src="{buyer.counter.stripe.js_address}" defer>' in begun.text
    for other in ("/card", path, "/top-ups"):
        assert stripe not in (await buyer.browser.get(other)).headers["content-security-policy"]


async def test_a_saved_card_leads_back_only_to_pages_that_need_one(buyer: Buyer) -> None:
    for back in ("https://evil.example", "//evil.example", "/enter", "/top-ups/top_1/pay"):
        assert 'name="back" value=""' in await buyer.get(f"/card?back={back}")
    assert 'name="back" value="/top-ups/top_1"' in await buyer.get("/card?back=/top-ups/top_1")


async def test_while_stripe_is_away_nothing_is_lost(buyer: Buyer) -> None:
    await buyer.save_card()
    path = await buyer.order()
    pay = form_fields(await buyer.get(path), f"{path}/pay")
    origin = {"origin": buyer.browser.origin}
    buyer.counter.stripe.faults = [Fault(500, is_done=False)]

    away = await buyer.browser.post(f"{path}/pay", data=pay, headers=origin)
    assert away.status_code == 503
    assert "Nothing is lost: try again in a minute." in away.text
    paid = await buyer.browser.post(f"{path}/pay", data=pay, headers=origin)

    assert state(paid.text) == "PAID"


async def ordered_by_vendor(buyer: Buyer, payment_gate: contract.PaymentGate) -> str:
    """Order a pack for the buyer. Returns the path of the order's page."""
    acme = buyer.counter.portal.acme
    ordered = await acme.stubs.contract.OrderTopUp(
        contract.OrderTopUpRequest(
            request_id=acme.request_id(),
            contract_id=buyer.signed.contract.contract_id,
            top_up_pack_id=acme.offer.pack,
            payment_gate=payment_gate,
        )
    )
    return f"/top-ups/{ordered.top_up.top_up_id}"


async def test_an_order_whose_payment_the_vendor_reports_says_so(buyer: Buyer) -> None:
    path = await ordered_by_vendor(buyer, contract.PAYMENT_GATE_EXTERNAL)

    shown = await buyer.get(path)

    assert "The vendor tells you how to pay." in shown
    assert '/pay"' not in shown


async def test_credits_that_were_granted_before_their_payment_say_that_it_is_due(buyer: Buyer) -> None:
    path = await ordered_by_vendor(buyer, contract.PAYMENT_GATE_NONE)

    shown = await buyer.get(path)

    assert "The credits can be used. The invoice is still to be paid." in shown
    assert await buyer.remaining() == GIVEN + 1_000


async def test_markup_in_the_name_of_a_pack_is_text(buyer: Buyer) -> None:
    acme = buyer.counter.portal.acme
    markup = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    await acme.stubs.catalog.CreateTopUpPack(
        catalog_pb2.CreateTopUpPackRequest(
            request_id="markup",
            name=markup,
            product_id=acme.offer.top_up,
            credit_type_id=acme.offer.ai_credits,
            amount_micros=MICROS,
            price=Money(currency_code="USD", micros=MICROS),
        )
    )

    for path in ("/top-ups", "/auto-top-up"):
        shown = await buyer.get(path)
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


async def test_a_pack_that_is_not_there_says_so(buyer: Buyer) -> None:
    unknown = await buyer.send("/top-ups", {"top_up_pack_id": "pck_none"}, shown_at="/top-ups")
    nothing = await buyer.send("/top-ups", {"contract_id": ""}, shown_at="/top-ups")

    assert (unknown.status_code, nothing.status_code) == (404, 400)
    assert "pck_none" in unknown.text
    assert "<dt>contract_id</dt><dd>is required</dd>" in nothing.text
