# SPDX-License-Identifier: Apache-2.0
"""Alerts on a page: set, seen in alarm, removed; and addresses that are confirmed before they get mails."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape

import pytest
import pytest_asyncio

from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from tests.support.mail_receiver import MailReceiver, running_mail_receiver
from tests.support.mesh import until
from tests.support.portal import Browser, PortalMesh, open_portal_mesh
from tests.support.postgres import PostgresServer, own_database

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN = "ann@acme.example"
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass(frozen=True, slots=True)
class Mailing:
    """A portal before a mesh whose Alert has a mail server."""

    portal: PortalMesh
    mails: MailReceiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mailing(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mailing]:
    async with running_mail_receiver() as mails, own_database(postgres_server) as databases:
        settings = {name.upper(): str(value) for name, value in mails.settings.items()}
        folder = tmp_path_factory.mktemp("access")
        async with open_portal_mesh(databases, folder, mails=settings) as portal:
            yield Mailing(portal, mails)


@pytest_asyncio.fixture(loop_scope="module")
async def acme(mailing: Mailing) -> AsyncIterator[Browser]:
    """Signed in as Acme's administrator."""
    async with mailing.portal.browser() as signed_in:
        yield signed_in


async def shown(browser: Browser) -> str:
    return unescape((await browser.get("/alerts")).text)


def row_of(html: str, name: str) -> str:
    """Return the row of a table that has this text."""
    rows = [one for one in re.findall(r"<tr\b.*?</tr>", html, re.DOTALL) if name in one]
    (row,) = rows
    return str(row)


def fields_of(row: str) -> dict[str, str]:
    """Return the hidden fields of the only form of a row."""
    return dict(HIDDEN.findall(row))


async def create(browser: Browser, **fields: str) -> str:
    """Send the first form for an alert with these fields, and return the page that it leads to."""
    return unescape((await browser.submit("/alerts/create", fields, shown_at="/alerts")).text)


async def test_an_alert_is_set_goes_into_alarm_and_is_removed(mailing: Mailing, acme: Browser) -> None:
    assert "There are none. Set one below." in await shown(acme)

    done = await create(acme, kind="low", name="Few <b>credits</b>", threshold="390.5")

    assert "The alert is set." in done
    assert "390.5 AI credits or less left" in row_of(done, "Few <b>credits</b>")
    assert "<b>" not in (await acme.get("/alerts")).text
    await mailing.portal.acme.debit(20)

    async def row() -> str:
        return row_of(await shown(acme), "Few <b>credits</b>")

    in_alarm = await until(row, lambda text: "Alarm" in text)
    assert "380 AI credits" in in_alarm
    removed = await acme.post("/alerts/archive", data=fields_of(in_alarm), headers={"origin": acme.origin})
    assert "The alert is removed." in removed.text
    assert "Few" not in removed.text


async def test_each_kind_of_alert_says_when_it_goes_off(acme: Browser) -> None:
    credits = {"threshold": "100"}
    await create(acme, kind="spend", name="ann", person="ann", window="2", **credits)
    await create(acme, kind="spend", name="all", person="", window="1", **credits)
    await create(acme, kind="expiring", name="soon", days="7", **credits)
    done = await create(
        acme, kind="invoice", name="large", currency="usd", threshold="1,000", credit_type_id=""
    )

    assert "ann spends 100 AI credits or more per day" in row_of(done, ">ann<")
    assert "All together spend 100 AI credits or more per usage period" in row_of(done, ">all<")
    assert "100 AI credits or more expire within 7 days" in row_of(done, ">soon<")
    assert "An open invoice of 1,000 USD or more" in row_of(done, ">large<")
    assert "Fine" in row_of(done, ">all<") or "Nothing yet" in row_of(done, ">all<")


async def test_an_address_gets_alerts_once_its_code_was_entered(mailing: Mailing, acme: Browser) -> None:
    added = await acme.submit(
        "/alerts/destinations/add", {"address": ANN, "topic": "invoices"}, shown_at="/alerts"
    )
    assert "A code was mailed to the address." in added.text
    mail = await mailing.mails.next_mail()
    found = re.search("[0-9]{8}", str(mail.message["Subject"]))
    assert found is not None
    code = found[0]
    waiting = {**fields_of(row_of(added.text, "Code from the mail").partition("</form>")[0])}

    async def enter(code: str, number: int) -> str:
        again = {**waiting, "request_id": f"{waiting['request_id']}-{number}", "code": code}
        sent = await acme.post("/alerts/destinations/confirm", data=again, headers={"origin": acme.origin})
        return unescape(sent.text)

    assert "This is not the code that was mailed." in await enter(f"{(int(code) + 1) % 10**8:08}", 1)
    assert "The address is confirmed." in await enter(f"{code[:4]} {code[4:]}", 2)
    await create(acme, kind="low", name="Few", threshold="10,000")
    assert (await mailing.mails.next_mail()).message["Subject"] == "In alarm: Few"

    async def page() -> str:
        return await shown(acme)

    html = await until(page, lambda text: text.count("Delivered") == 2)
    assert "Alarm: Few" in html
    removed = await acme.post(
        "/alerts/destinations/remove",
        data=fields_of(row_of(html, "Confirmed")),
        headers={"origin": acme.origin},
    )
    assert "The address is removed." in removed.text
    assert ANN not in removed.text


async def test_what_cannot_be_done_says_what_to_do(mailing: Mailing, acme: Browser) -> None:
    portal = mailing.portal
    await portal.acme.stubs.alert.CreateAlert(
        alert.CreateAlertRequest(
            request_id=portal.acme.request_id(),
            name="The vendor's",
            alert_type=alert.ALERT_TYPE_LOW_BALANCE,
            customer_id=portal.acme.contract.customer_id,
            credit_type_id=portal.acme.offer.ai_credits,
            threshold_micros=MICROS,
        )
    )
    assert "The vendor's" not in await shown(acme)
    taken = await create(acme, kind="low", name="The vendor's", threshold="1")
    assert "There is an alert with this name already." in taken
    assert "Enter the amount as a number" in await create(acme, kind="low", name="x", threshold="many")
    assert "Enter the days as a whole number" in await create(
        acme, kind="expiring", name="x", threshold="1", days="soon"
    )
    wrong = await acme.submit("/alerts/destinations/add", {"address": "Ann <a@b.c>"}, shown_at="/alerts")
    assert (wrong.status_code, "must be an address such as" in wrong.text) == (400, True)


async def test_another_customer_sees_none_of_it(mailing: Mailing, acme: Browser) -> None:
    await create(acme, kind="low", name="Only ours", threshold="1")
    row = row_of(await shown(acme), "Only ours")
    async with mailing.portal.browser("customer", customer="cus_0197286f0d4870d1a2b3c4d5e6f70802") as other:
        assert (await other.get("/alerts")).status_code == 404  # no such customer in the Ledger
        foreign = {**fields_of(row), "csrf": "x"}
        sent = await other.post("/alerts/archive", data=foreign, headers={"origin": other.origin})
        assert sent.status_code == 403
    assert "Only ours" in await shown(acme)


async def test_the_page_speaks_german(mailing: Mailing) -> None:
    async with mailing.portal.browser(locale="de") as browser:
        assert "Warnung einrichten" in await shown(browser)
