# SPDX-License-Identifier: Apache-2.0
"""The pages of operators show what the rpcs say, to operators and viewers only, also while a service is away."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest
import pytest_asyncio

from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from services.portal import operator
from tests.support.mesh import Acme
from tests.support.portal import Browser, PortalMesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKUP = '<script>alert("x")</script>'
TABS = ("", "contracts", "grants", "holds", "entries", "top-ups", "invoices", "caps", "alerts", "audit")
PLACES = (
    "/operator",
    "/operator/explain",
    "/operator/deliveries",
    "/operator/dead-letters",
    "/operator/audit",
)


def words(html: str) -> str:
    """Return the text of a page, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


@pytest_asyncio.fixture(loop_scope="module")
async def operating(portal: PortalMesh) -> AsyncIterator[Browser]:
    async with portal.browser("operator") as signed_in:
        yield signed_in


@pytest_asyncio.fixture(loop_scope="module")
async def viewing(portal: PortalMesh) -> AsyncIterator[Browser]:
    async with portal.browser("viewer") as signed_in:
        yield signed_in


@pytest.fixture
def of_acme(portal: PortalMesh) -> str:
    return f"/operator/customers/{portal.acme.contract.customer_id}"


async def _capped(acme: Acme) -> str:
    request = admin.SetSpendCapRequest(
        request_id=acme.request_id(),
        customer="acme",
        credit_type_id=acme.offer.ai_credits,
        group_key="user_id",
        group_value="user_1234",
        limit_micros=900 * MICROS,
    )
    return (await acme.stubs.ledger_admin.SetSpendCap(request)).spend_cap.spend_cap_id


async def test_a_customer_is_found_and_leads_to_its_page(operating: Browser, of_acme: str) -> None:
    for search in ("acm", "inc", of_acme.rpartition("/")[2]):
        found = await operating.get("/operator", params={"search": search})
        assert f'href="{of_acme}"' in found.text, search
    nobody = await operating.get("/operator", params={"search": "globex"})
    assert "No customer has this id" in nobody.text

    shown = words((await operating.get("/operator/customers/acme")).text)

    assert "Aliases acme" in shown
    assert "400 available" in re.sub(r"(available) ([\d,.]+)", r"\2 \1", shown)
    assert "Team Plan: 4 seats" in shown


async def test_each_page_of_a_customer_shows_what_the_rpcs_say(
    portal: PortalMesh, operating: Browser, of_acme: str
) -> None:
    acme, stubs = portal.acme, portal.acme.stubs
    bought = await acme.buy()
    held = await acme.authorize(2)
    cap_id = await _capped(acme)
    watched = await acme.warn_at(500)
    added = await acme.change_seats(2)
    grants = await stubs.ledger_admin.ListGrants(admin.ListGrantsRequest(customer="acme"))
    invoices = await stubs.contract.ListInvoices(contract.ListInvoicesRequest(customer="acme"))
    pages = {tab: (await operating.get(f"{of_acme}/{tab}".rstrip("/"))).text for tab in TABS}
    of_contract = await operating.get(f"{of_acme}/contracts/{acme.contract.contract_id}")
    of_invoice = await operating.get(f"{of_acme}/invoices/{invoices.invoices[0].invoice_id}")

    assert acme.contract.contract_id in pages["contracts"]
    assert all(one.grant_id in pages["grants"] for one in grants.grants)
    assert f"hold={held.hold_id}" in pages["holds"]
    assert "AI Assistant held 24" in words(pages["holds"]).replace(
        "held AI Assistant 24", "AI Assistant held 24"
    )
    assert re.search(r"grant 1,000 ", words(pages["entries"]))
    assert bought.top_up_id in pages["top-ups"]
    assert all(one.number in pages["invoices"] for one in invoices.invoices)
    assert "user_id user_1234 AI credits 900 billing period vendor" in words(pages["caps"])
    assert cap_id in pages["caps"]
    assert "500 credits or fewer are left" in words(pages["alerts"])
    assert f"alert={watched.alert_id}" in pages["alerts"]
    assert "SetSpendCap" in pages["audit"]
    assert added.seat_change.seat_change_id in of_contract.text
    assert "+2 6" in words(of_contract.text)
    assert "$400.00" in of_invoice.text


async def test_a_hold_and_an_entry_are_explained_with_figures(portal: PortalMesh, operating: Browser) -> None:
    acme = portal.acme
    held = await acme.authorize(3)
    spent = await acme.authorize(1)
    await acme.stubs.gate.Capture(
        ledger.CaptureRequest(
            request_id=acme.request_id(), customer="acme", hold_id=spent.hold_id, credits_micros=7 * MICROS
        )
    )
    await acme.debit(30)
    entry = (
        await acme.stubs.ledger_admin.ListEntries(
            admin.ListEntriesRequest(customer="acme", credit_type_id=acme.offer.ai_credits, page_size=1)
        )
    ).entries[0]
    of_entry = {"customer": "acme", "credit_type": entry.credit_type_id, "sequence": str(entry.sequence)}

    hold = words(
        (await operating.get("/operator/explain", params={"customer": "acme", "hold": held.hold_id})).text
    )
    explained = words((await operating.get("/operator/explain", params=of_entry)).text)

    captured = await operating.get("/operator/explain", params={"customer": "acme", "hold": spent.hold_id})
    assert "It was captured: 7 credits were spent of 12 held" in words(captured.text)
    assert "gate asked for user_id user_1234" in hold
    assert "It is open, and stops counting at" in hold
    assert "costs 12 credits for 1 units" in hold
    assert "So it holds 36 AI credits , in burn-down order: 36 from grt_" in hold
    assert f"Where entry {entry.sequence} comes from" in explained
    assert "It records: capture, -30 AI credits" in explained
    assert "by gate" in explained


async def test_pages_of_a_list_follow_each_other(
    portal: PortalMesh, operating: Browser, of_acme: str
) -> None:
    for _ in range(55):
        await portal.acme.debit(1)
    address = f"{of_acme}/entries?credit_type={portal.acme.offer.ai_credits}"
    seen: list[int] = []
    for _ in range(20):
        shown = (await operating.get(address)).text
        seen += [int(number) for number in re.findall(r'sequence=(\d+)">\d+</a>', unescape(shown))]
        following = re.search(r'href="(\?[^"]*)">Next page<', shown)
        if following is None:
            break
        address = f"{of_acme}/entries{unescape(following[1])}"

    assert seen == list(range(seen[0], 0, -1))
    assert len(seen) > 55
    assert "First page" in shown


async def test_a_viewer_sees_every_page_and_no_button(viewing: Browser, of_acme: str) -> None:
    for path in (*PLACES, "/operator/mesh", *(f"{of_acme}/{tab}".rstrip("/") for tab in TABS)):
        shown = await viewing.get(path)
        assert shown.status_code == 200, path
        assert "/operator/do/" not in shown.text, path
    refused = await viewing.get("/operator/do/suspend", params={"customer": "acme"})
    assert refused.status_code == 403


async def test_customers_and_strangers_see_no_page_of_operators(portal: PortalMesh, browser: Browser) -> None:
    routes = [
        (route.path, method)
        for module in operator.PAGES
        for route in module.ROUTES
        for method in route.methods
    ]
    async with Browser(portal.url) as stranger:
        for path, method in routes:
            at = re.sub(r"\{.*?\}", "acme", path)
            answer = await browser.request(method, at, headers={"origin": browser.origin})
            assert answer.status_code == 403, (method, at)
            nobody = await stranger.request(
                method, at, headers={"origin": stranger.origin}, follow_redirects=False
            )
            assert (nobody.status_code, nobody.headers.get("location")) == (303, "/enter"), (method, at)
    assert len(routes) > 20


async def test_markup_in_names_is_shown_as_text(portal: PortalMesh, operating: Browser) -> None:
    stubs = portal.acme.stubs
    created = await stubs.contract.CreateCustomer(
        contract.CreateCustomerRequest(request_id="markup", name=MARKUP, aliases=[f"a{MARKUP}"])
    )
    customer_id = created.customer.customer_id
    await stubs.alert.CreateAlert(
        alert.CreateAlertRequest(
            request_id="markup",
            name=MARKUP,
            alert_type=alert.ALERT_TYPE_LOW_BALANCE,
            customer_id=customer_id,
            credit_type_id=portal.acme.offer.ai_credits,
        )
    )

    pages = [
        "/operator?search=script",
        *(f"/operator/customers/{customer_id}/{tab}".rstrip("/") for tab in TABS),
    ]

    for path in pages:
        shown = (await operating.get(path)).text
        assert MARKUP in unescape(shown), path
        assert MARKUP not in shown, path


async def test_what_cannot_be_shown_is_said_with_what_to_do(operating: Browser, of_acme: str) -> None:
    for path, status, text in (
        ("/operator/customers/nobody", 404, "customer 'nobody' does not exist"),
        (f"{of_acme}/contracts/con_nothing", 404, "con_nothing"),
        (f"{of_acme}/grants?page=garbage", 400, "page_token"),
        ("/operator/explain?customer=acme&hold=hld_nothing", 404, "has no hold 'hld_nothing'"),
        ("/operator/explain?customer=acme&credit_type=crt_x&sequence=first", 400, "whole number, such as 12"),
        ("/operator/audit?start=yesterday", 400, "Enter a day and a time"),
        ("/operator/do/nothing", 404, "There is no such page"),
    ):
        shown = await operating.get(path)
        assert (shown.status_code, text in words(shown.text)) == (status, True), (path, words(shown.text))


async def test_what_a_service_says_is_missed_alone_while_it_is_away(
    portal: PortalMesh, operating: Browser, of_acme: str
) -> None:
    await portal.mesh.stop("contract")
    try:
        mesh = words((await operating.get("/operator/mesh")).text)
        letters = words((await operating.get("/operator/dead-letters")).text)
        audit = words((await operating.get(f"{of_acme}/audit")).text)
        grants = await operating.get(f"{of_acme}/grants")
        invoices = await operating.get(f"{of_acme}/invoices")
    finally:
        await portal.mesh.start("contract")

    assert "Contract no answer It is down" in mesh
    assert all(f"{name} serving" in mesh for name in ("Catalog", "Ledger", "Alert"))
    assert "Contract does not answer at the moment" in letters
    assert "Contract does not answer at the moment: its records are missing here" in audit
    assert "ApplyContract" in audit
    assert grants.status_code == 200
    assert "so the customer's name is not known" in grants.text
    assert invoices.status_code == 503
    assert "Contract does not answer at the moment" in words(invoices.text)
