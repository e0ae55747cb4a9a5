# SPDX-License-Identifier: Apache-2.0
"""What operators do on pages: it is shown before, has one effect however often it is sent, and is in the audit."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from html import unescape
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from purser.alert.v1 import alert_pb2 as alert
from purser.audit.v1.audit_pb2 import AUDIT_OUTCOME_DONE, AuditEvent, ListAuditEventsRequest
from purser.audit.v1.audit_pb2_grpc import AuditServiceStub
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.outbox.v1.dead_letters_pb2 import ListDeadLettersRequest
from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from tests.rpc.portal.test_operator_pages import words
from tests.support.alert import running_receiver
from tests.support.ledger_sql import Sql
from tests.support.mesh import until
from tests.support.portal import Browser, PortalMesh, form_fields, open_portal_mesh
from tests.support.postgres import Databases, PostgresServer, own_database

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A notice that its peer has accepted long ago, as if it had rejected it.
_DIED = """
    INSERT INTO contract.dead_letters
        (customer_id, notice_id, kind, payload, create_time, attempts, dead_time, last_error)
    SELECT customer_id, $1, kind, payload, create_time, 9, now(), 'NOT_WANTED: nobody wants it' FROM contract.outbox
    WHERE kind = 'CUSTOMER_CHANGED' LIMIT 1
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def databases(postgres_server: PostgresServer) -> AsyncIterator[Databases]:
    async with own_database(postgres_server) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PortalMesh]:
    async with open_portal_mesh(databases, tmp_path_factory.mktemp("access")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def operating(portal: PortalMesh) -> AsyncIterator[Browser]:
    async with portal.browser("operator") as signed_in:
        yield signed_in


class Sent:
    """An act that was sent once, and can be sent again as it was."""

    def __init__(self, browser: Browser, path: str, fields: Mapping[str, str], *, shown: str) -> None:
        self._browser = browser
        self._path = path
        self.fields = fields
        self.shown = shown

    async def send(self) -> tuple[int, str]:
        """Send it; returns the status and the text of the page."""
        answer = await self._browser.post(
            self._path, data=self.fields, headers={"origin": self._browser.origin}
        )
        return answer.status_code, words(answer.text)


async def check(browser: Browser, act: str, **fields: str) -> Sent:
    """Fill in the form of an act, and return what its last page would send."""
    path = f"/operator/do/{act}"
    shown = await browser.get(f"{path}?{urlencode({**fields, 'checked': 'yes'})}")
    assert shown.status_code == 200, words(shown.text)
    return Sent(browser, path, form_fields(shown.text, path), shown=words(shown.text))


async def _records(portal: PortalMesh, service: str, rpc: str) -> list[AuditEvent]:
    token = portal.token("viewer")
    async with portal.mesh.channel(service, token) as channel:
        listed = await AuditServiceStub(channel).ListAuditEvents(
            ListAuditEventsRequest(outcome=AUDIT_OUTCOME_DONE, page_size=500)
        )
    return [one for one in listed.audit_events if one.rpc.endswith(f"/{rpc}") and one.subject == "someone"]


def _pool(portal: PortalMesh) -> dict[str, str]:
    return {"customer": portal.acme.contract.customer_id, "credit_type": portal.acme.offer.ai_credits}


async def test_an_adjustment_is_shown_first_and_has_one_effect(
    portal: PortalMesh, operating: Browser
) -> None:
    before = await portal.acme.available()
    sent = await check(operating, "adjust", **_pool(portal), amount="-7.5", reason="counted twice")
    untouched = await portal.acme.available()

    first, again = await sent.send(), await sent.send()

    assert "Takes 7.5 credits" in sent.shown
    assert untouched == before
    assert first == again
    assert first[0] == 200
    assert "Done. Adjusted by -7.5" in first[1]
    assert await portal.acme.available() == before - 7_500_000
    [record] = await _records(portal, "ledger", "AdjustBalance")
    newest = admin.ListEntriesRequest(
        customer="acme", credit_type_id=portal.acme.offer.ai_credits, page_size=1
    )
    taken = (await portal.acme.stubs.ledger_admin.ListEntries(newest)).entries[0]
    asked = {**_pool(portal), "sequence": str(taken.sequence)}
    explained = words((await operating.get("/operator/explain", params=asked)).text)
    assert "by someone" in explained
    assert "counted twice" in explained
    rpc = "/purser.ledger.v1.LedgerAdminService/AdjustBalance"
    conditions = {"subject": "someone", "rpc": rpc, "target": _pool(portal)["customer"], "outcome": "DONE"}
    listed = words((await operating.get("/operator/audit", params=conditions)).text)
    assert "counted twice" in listed
    for other in (
        {"subject": "nobody"},
        {"outcome": "REFUSED"},
        {"service": "alert"},
        {"end": "2020-01-01T00:00"},
    ):
        none = await operating.get("/operator/audit", params={**conditions, **other})
        assert "There are no such records." in none.text, other
    assert "counted twice" in record.change
    assert '"actor":"someone"' in record.change.replace(" ", "")


async def test_credits_are_granted_and_voided(portal: PortalMesh, operating: Browser) -> None:
    before = await portal.acme.available()
    granting = await check(operating, "grant", **_pool(portal), amount="12", expire_time="2025-06-20T12:00")
    _, granted = await granting.send()
    grant_id = re.search(r"grt_\w+", granted)
    assert grant_id is not None, granted
    between = await portal.acme.available()
    customer = portal.acme.contract.customer_id
    voiding = await check(operating, "void-grant", customer=customer, grant=grant_id[0], reason="a mistake")

    first, again = await voiding.send(), await voiding.send()

    assert "They expire 20 Jun 2025, 12:00" in granting.shown
    assert between == before + 12_000_000
    assert "Available, to be voided 12" in voiding.shown
    assert first == again
    assert "Voided 12" in first[1]
    assert await portal.acme.available() == before
    shown = words((await operating.get(f"/operator/customers/{customer}/grants")).text)
    assert "voided: a mistake (someone)" in shown


async def test_a_hold_is_released(portal: PortalMesh, operating: Browser) -> None:
    held = await portal.acme.authorize(2)
    before = await portal.acme.available()
    customer = portal.acme.contract.customer_id
    sent = await check(
        operating, "release-hold", customer=customer, hold=held.hold_id, reason="its worker is gone"
    )

    first, again = await sent.send(), await sent.send()

    assert "Held, to be available at once 24" in sent.shown
    assert first == again
    assert await portal.acme.available() == before + 24_000_000
    assert len(await _records(portal, "ledger", "ReleaseHold")) == 1


async def test_a_seat_change_and_an_invoice_are_voided(portal: PortalMesh, operating: Browser) -> None:
    acme = portal.acme
    customer = acme.contract.customer_id
    added = await acme.change_seats(1)
    invoices = await acme.stubs.contract.ListInvoices(contract.ListInvoicesRequest(customer="acme"))
    seats = await check(
        operating,
        "void-seat-change",
        customer=customer,
        contract=acme.contract.contract_id,
        subscription=acme.contract.subscriptions[0].subscription_id,
        seat_change=added.seat_change.seat_change_id,
        money_back="CREDIT_UNUSED",
    )
    invoice = await check(
        operating,
        "void-invoice",
        customer=customer,
        invoice=invoices.invoices[0].invoice_id,
        reason="wrong address",
        regenerate="yes",
    )

    voided, regenerated = await seats.send(), await invoice.send()

    assert "Seats +1, 5 after it" in seats.shown
    assert "Seats now 4" in voided[1]
    assert "Its charges go on a new draft" in invoice.shown
    assert "New draft inv_" in regenerated[1], regenerated
    assert regenerated == await invoice.send()


async def test_a_customer_is_suspended_and_resumed(portal: PortalMesh, operating: Browser) -> None:
    customer = portal.acme.contract.customer_id
    suspended = await (await check(operating, "suspend", customer=customer, note="asked us to")).send()
    shown = words((await operating.get(f"/operator/customers/{customer}")).text)
    resuming = await check(operating, "resume", customer=customer)
    resumed = await resuming.send()

    assert "Suspended yes" in suspended[1]
    assert "operator: asked us to" in shown
    assert "Lifts all reasons operator" in resuming.shown
    assert "Suspended no" in resumed[1]


async def test_a_refused_act_says_why_and_can_be_changed(portal: PortalMesh, operating: Browser) -> None:
    before = await portal.acme.available()
    sent = await check(operating, "adjust", **_pool(portal), amount="-1000000", reason="too much")
    incomplete = await operating.get(
        "/operator/do/adjust", params={**_pool(portal), "amount": "1e-9", "checked": "yes"}
    )

    status, text = await sent.send()

    assert status == 409
    assert "more than" in text or "available" in text
    assert "Change something" in text
    assert await portal.acme.available() == before
    assert incomplete.status_code == 400
    assert "Enter a number with at most 6 decimals" in words(incomplete.text)
    assert "This is required." in words(incomplete.text)


async def test_an_act_without_an_answer_is_sent_again_as_the_same_request(
    portal: PortalMesh, operating: Browser
) -> None:
    before = await portal.acme.available()
    sent = await check(operating, "adjust", **_pool(portal), amount="3", reason="the Ledger is away")
    await portal.mesh.stop("ledger")
    try:
        answer = await operating.post(
            "/operator/do/adjust", data=sent.fields, headers={"origin": operating.origin}
        )
    finally:
        await portal.mesh.start("ledger")
    again = form_fields(answer.text, "/operator/do/adjust")

    assert answer.status_code == 503
    assert "Ledger does not answer at the moment" in words(answer.text)
    assert {name: again[name] for name in ("request_id", "amount", "reason")} == {
        name: sent.fields[name] for name in ("request_id", "amount", "reason")
    }
    # The connections to the Ledger come back within a second.
    for _ in range(2):
        await until(sent.send, lambda sent_again: sent_again[0] == 200)
    assert await until(portal.acme.available, lambda available: available > before) == before + 3_000_000


async def test_a_form_of_a_viewer_or_of_another_site_does_nothing(
    portal: PortalMesh, operating: Browser
) -> None:
    before = await portal.acme.available()
    sent = await check(operating, "adjust", **_pool(portal), amount="5", reason="not mine")
    async with portal.browser("viewer") as viewing:
        by_viewer = await viewing.post(
            "/operator/do/adjust", data=sent.fields, headers={"origin": viewing.origin}
        )
    foreign = await operating.post(
        "/operator/do/adjust", data=sent.fields, headers={"origin": "https://evil.example"}
    )
    forged = await operating.post(
        "/operator/do/adjust", data={**sent.fields, "csrf": "x"}, headers={"origin": operating.origin}
    )

    assert [by_viewer.status_code, foreign.status_code, forged.status_code] == [403, 403, 403]
    assert await portal.acme.available() == before


async def test_deliveries_are_posted_again_one_by_one_and_by_endpoint(
    portal: PortalMesh, operating: Browser
) -> None:
    acme = portal.acme
    async with running_receiver() as receiver:
        made = await acme.stubs.alert.CreateWebhookEndpoint(
            alert.CreateWebhookEndpointRequest(request_id="endpoint", url=receiver.url)
        )
        receiver.secret = made.secret
        await acme.warn_at(1_000)
        first = await receiver.next_event()
        delivery = await until(
            lambda: acme.stubs.alert.ListDeliveries(alert.ListDeliveriesRequest()),
            lambda listed: listed.deliveries[0].status == alert.DELIVERY_STATUS_DELIVERED,
        )
        endpoint = made.webhook_endpoint.webhook_endpoint_id
        shown = (await operating.get("/operator/deliveries", params={"endpoint": endpoint})).text
        resent = await (await check(operating, "resend", delivery=delivery.deliveries[0].delivery_id)).send()
        second = await receiver.next_event()
        replay = await check(
            operating, "replay", endpoint=endpoint, start_time=f"{datetime.now(UTC):%Y-%m-%dT00:00}"
        )
        await until(
            lambda: acme.stubs.alert.ListDeliveries(alert.ListDeliveriesRequest()),
            lambda listed: listed.deliveries[0].status == alert.DELIVERY_STATUS_DELIVERED,
        )
        replayed = await replay.send()
        third = await receiver.next_event()

    assert "alert.in_alarm" in words(shown)
    assert receiver.url in unescape(shown)
    assert resent[0] == 200
    assert "Posts again those that failed or were accepted" in replay.shown
    assert f"Posted to again {endpoint}" in replayed[1]
    assert first.webhook_id == second.webhook_id == third.webhook_id


async def test_dead_letters_are_sent_again_or_given_up(
    portal: PortalMesh, operating: Browser, databases: Databases
) -> None:
    async with Sql.connected(databases.admin_url) as sql:
        for notice_id in ("ntc_one", "ntc_two"):
            assert await sql.execute(_DIED, notice_id) == "INSERT 0 1"
    shown = words((await operating.get("/operator/dead-letters")).text)
    retry = await check(operating, "retry-dead-letter", service="contract", notice="ntc_one")
    drop = await check(
        operating, "drop-dead-letter", service="contract", notice="ntc_two", reason="it is old"
    )

    retried, dropped = await retry.send(), await drop.send()

    assert "ntc_one" in shown
    assert "NOT_WANTED: nobody wants it" in retry.shown
    assert "Delivered" in retried[1]
    assert "Given up" in dropped[1]
    async with portal.mesh.channel("contract", portal.token("viewer")) as channel:
        letters = DeadLetterServiceStub(channel)
        assert not (await letters.ListDeadLetters(ListDeadLettersRequest())).dead_letters
        ended = (await letters.ListDeadLetters(ListDeadLettersRequest(include_ended=True))).dead_letters
    assert {one.notice_id: (one.drop_reason, one.drop_actor) for one in ended} == {
        "ntc_one": ("", ""),
        "ntc_two": ("it is old", "someone"),
    }
    unknown = await operating.get(
        "/operator/do/retry-dead-letter", params={"service": "else", "notice": "ntc_one"}
    )
    assert unknown.status_code == 400
