# SPDX-License-Identifier: Apache-2.0
"""What was used, on a page and as CSV; and caps, which the gate keeps from the next call on."""

import csv
import io
import re
from urllib.parse import urlencode

import pytest

from deploy.local.seatsco import ASSISTANT, PREVIEW
from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.support.portal import Browser, PortalMesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

JUNE = {"from": "2025-06-01", "to": "2025-06-30"}


async def debit(portal: PortalMesh, product: str, credits: int, **group_values: str) -> ledger.DebitResponse:
    acme = portal.acme
    return await acme.stubs.gate.Debit(
        ledger.DebitRequest(
            request_id=acme.request_id(),
            customer="acme",
            product_id=acme.offer.usage[product],
            credits_micros=credits * MICROS,
            group_values=group_values,
        )
    )


async def rows_of(browser: Browser, **query: str) -> list[dict[str, str]]:
    answer = await browser.get(f"/usage.csv?{urlencode(query)}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_usage_is_added_up_by_product_person_and_day(portal: PortalMesh, browser: Browser) -> None:
    await debit(portal, ASSISTANT, 30, user_id="ada")
    await debit(portal, PREVIEW, 10, user_id="<b>grace</b>")
    await debit(portal, PREVIEW, 5)

    shown = (await browser.get("/usage")).text

    assert re.search(r'data-figure="total">45<', shown)
    text = " ".join(re.sub(r"<[^>]*>", " ", shown).split())
    assert "AI Assistant 1 30 66%" in text
    assert "AI Preview 2 15 33%" in text
    assert "ada 1 30 66% &lt;b&gt;grace&lt;/b&gt; 1 10 22%" in text
    assert "5 credits more were used without naming a person." in text
    assert "<b>grace" not in shown


async def test_usage_is_downloaded_by_product_and_by_person(portal: PortalMesh, browser: Browser) -> None:
    await debit(portal, ASSISTANT, 1, user_id="=1+1")

    by_product = await rows_of(browser, **JUNE)
    by_person = await rows_of(browser, **JUNE, by="person")

    assistant = next(row for row in by_product if row["product"] == ASSISTANT)
    assert assistant["day_utc"] == "2025-06-01"
    assert sum(float(row["credits"]) for row in by_product) == 46
    assert sum(float(row["credits"]) for row in by_person) == 41
    assert "'=1+1" in {row["user_id"] for row in by_person}


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        ("2025-06-01", "", "Enter both days"),
        ("2025-13-01", "2025-06-01", "Enter both days"),
        ("2025-06-02", "2025-06-01", "Choose at least one day and at most 400."),
        ("2024-05-26", "2025-06-30", "Choose at least one day and at most 400."),
    ],
)
async def test_days_that_cannot_be_shown_are_refused_in_words(
    browser: Browser, first: str, last: str, says: str
) -> None:
    for path in ("/usage", "/usage.csv"):
        refused = await browser.get(f"{path}?from={first}&to={last}")

        assert refused.status_code == 400
        assert says in refused.text


async def test_four_hundred_days_are_shown(browser: Browser) -> None:
    shown = await browser.get("/usage?from=2024-05-27&to=2025-06-30")

    assert shown.text.count("<tr data-value=") == 400


async def caps(portal: PortalMesh) -> list[admin.SpendCap]:
    listed = await portal.acme.stubs.ledger_admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))
    return list(listed.spend_caps)


async def test_a_cap_on_a_person_stops_the_next_call_and_can_be_changed_and_removed(
    portal: PortalMesh, browser: Browser
) -> None:
    asked = {"who": "person", "group_value": "linus", "limit": "12.5", "window": "1"}
    is_set = await browser.submit("/caps/set", asked, shown_at="/caps")
    assert "The cap is set." in is_set.text
    assert (await debit(portal, ASSISTANT, 12, user_id="linus")).decision == ledger.DECISION_ALLOWED
    refused = await debit(portal, ASSISTANT, 1, user_id="linus")
    assert refused.denial_reason == ledger.DENIAL_REASON_SPEND_CAP_REACHED

    [cap] = await caps(portal)
    shown = (await browser.get("/caps")).text
    assert "linus" in shown
    assert re.search(r"12\s*<span class=\"share\">96%", shown)
    changed = await browser.submit("/caps/set", {"limit": "13"}, shown_at="/caps")
    assert changed.status_code == 200
    assert (await debit(portal, ASSISTANT, 1, user_id="linus")).decision == ledger.DECISION_ALLOWED

    removed = await browser.submit("/caps/remove", {}, shown_at="/caps")
    assert "The cap is removed." in removed.text
    assert cap.spend_cap_id
    assert await caps(portal) == []


@pytest.mark.parametrize(
    ("fields", "scope", "window", "hours"),
    [
        ({"who": "everyone", "window": "2"}, ledger.CAP_SCOPE_CUSTOMER, 2, 0),
        ({"who": "each", "window": "4"}, ledger.CAP_SCOPE_GROUP_VALUE, 4, 0),
        ({"who": "product", "window": "5", "hours": "24"}, ledger.CAP_SCOPE_PRODUCT, 5, 24),
    ],
)
async def test_everyone_each_person_and_a_product_can_be_capped(
    portal: PortalMesh, browser: Browser, fields: dict[str, str], scope: int, window: int, hours: int
) -> None:
    product = {"product_id": portal.acme.offer.usage[ASSISTANT]}

    shown = await browser.submit("/caps/set", {**product, **fields, "limit": "1,000"}, shown_at="/caps")

    assert shown.status_code == 200, shown.text
    [cap] = await caps(portal)
    assert (cap.scope, cap.window, cap.window_hours, cap.limit_micros) == (
        scope,
        window,
        hours,
        1_000 * MICROS,
    )
    await browser.submit("/caps/remove", {}, shown_at="/caps")


async def test_the_same_form_sent_twice_sets_one_cap(portal: PortalMesh, browser: Browser) -> None:
    page = (await browser.get("/caps")).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    fields = {**hidden, "who": "everyone", "limit": "50", "window": "1"}
    for _ in range(2):
        answer = await browser.post("/caps/set", data=fields, headers={"origin": portal.url})
        assert answer.status_code == 200

    other = await browser.post("/caps/set", data={**fields, "limit": "60"}, headers={"origin": portal.url})

    assert other.status_code == 409
    assert len(await caps(portal)) == 1
    await browser.submit("/caps/remove", {}, shown_at="/caps")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"limit": "many"}, "The limit must be a number of credits, 0 or more."),
        ({"limit": "-1"}, "The limit must be a number of credits, 0 or more."),
        ({"limit": "1.0000001"}, "The limit must be a number of credits, 0 or more."),
        ({"limit": "NaN"}, "The limit must be a number of credits, 0 or more."),
        ({"limit": "1", "group_value": " "}, "Enter whom the cap limits."),
        ({"limit": "1", "window": "5", "hours": "169"}, "The hours must be a whole number from 1 to 168."),
        ({"limit": "1", "window": "5", "hours": ""}, "The hours must be a whole number from 1 to 168."),
    ],
)
async def test_a_cap_that_cannot_be_is_refused_in_words(
    portal: PortalMesh, browser: Browser, fields: dict[str, str], says: str
) -> None:
    refused = await browser.submit(
        "/caps/set", {"who": "person", "group_value": "ada", "window": "1", **fields}, shown_at="/caps"
    )

    assert (refused.status_code, says in refused.text) == (400, True)
    assert await caps(portal) == []


async def test_a_cap_of_the_vendor_is_shown_and_cannot_be_removed(
    portal: PortalMesh, browser: Browser
) -> None:
    acme = portal.acme
    made = await acme.stubs.ledger_admin.SetSpendCap(
        admin.SetSpendCapRequest(
            request_id=acme.request_id(),
            customer="acme",
            credit_type_id=acme.offer.ai_credits,
            group_key="user_id",
            group_value="<script>alert(1)</script>",
            limit_micros=7 * MICROS,
        )
    )

    shown = (await browser.get("/caps")).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown))
    fields = {**hidden, "spend_cap_id": made.spend_cap.spend_cap_id}
    removed = await browser.post("/caps/remove", data=fields, headers={"origin": portal.url})

    assert "Caps of the vendor" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script>alert" not in shown
    assert removed.status_code == 404
    assert len(await caps(portal)) == 1


async def test_a_ledger_that_is_away_is_a_page_that_says_so(portal: PortalMesh, browser: Browser) -> None:
    await portal.mesh.stop("ledger")
    try:
        shown = await browser.get("/usage")
    finally:
        await portal.mesh.start("ledger")

    assert shown.status_code == 503
    assert "does not answer at the moment" in shown.text
