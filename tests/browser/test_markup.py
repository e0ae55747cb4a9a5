# SPDX-License-Identifier: Apache-2.0
"""Markup in any name is text on every page: no element, attribute, script or template comes out of it."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from typing import Any, Final

import pytest
import pytest_asyncio
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from playwright.async_api import Browser, Page

from deploy.local.sample import PEOPLE, play_half_a_month
from deploy.local.seatsco import ASSISTANT, Stubs, define_products, open_stubs, set_prices, sign_acme
from meshkit.clock import SystemClock
from meshkit.quantity import MICROS
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from services.portal.app import open_portal
from tests.support.browser import open_visit
from tests.support.mesh import SwitchedMesh, secured
from tests.support.portal import portal_settings
from tests.support.postgres import PostgresServer, own_database

# Leaves a text, an attribute in either kind of quotes, an element, a script, a comment, and a template's expression.
MARKUP: Final = "\"'><hostile-mark hostile=1></title></script><script>document.title='x'</script>{{7*7}}<!--"
NAMES: Final = ("name", "description", "reason", "actor")
EVE: Final = f"eve{MARKUP}"
# What the pages show of them: of the vendor, the customer, a person, a contract, an alert, an operator's reason.
SHOWN: Final = (
    "Acme Inc.",
    "AI credits",
    "AI Assistant",
    "eve",
    "Team Plan",
    "Team Plan, annual",
    "100 credits or fewer are left",
    "a mistake",
    "support",
)
TEXT: Final = """() => [document.body.innerText,
    ...[...document.querySelectorAll("details, option")].map(one => one.textContent),
    ...[...document.querySelectorAll("input, textarea")].map(one => one.value)].join("\\n")"""
# Of links, and of forms that only ask, filled in as they are.
ADDRESSES: Final = """() => [
    ...[...document.querySelectorAll("a[href]")].map(one => one.href),
    ...[...document.querySelectorAll("form[method=get]")].map(
        one => `${one.action}?${new URLSearchParams(new FormData(one))}`),
].map(one => one.split("#")[0]).filter(one => one.startsWith(location.origin))"""
ELEMENTS: Final = "hostile-mark, [hostile], script:not([src])"
# Pages are of one kind if their addresses differ only in ids and values.
ID: Final = re.compile(r"[a-z]{3}_[0-9a-f]+|(?<==)[^&]+")
PAGES_PER_KIND_MAX: Final = 1
# Neither pages nor safe to follow: downloads, and streams.
LEFT_OUT: Final = ("/pdf", ".csv", "/events", "/leave", "/static/")


class Hostile:
    """A stub that adds markup to every name in what it sends."""

    def __init__(self, stub: object) -> None:
        self._stub = stub

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._stub, method)

        def sent(request: Message, **options: Any) -> Any:
            hostile = type(request)()
            hostile.CopyFrom(request)
            _mark(hostile)
            return call(hostile, **options)

        return sent


def _mark(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in NAMES and field.type == FieldDescriptor.TYPE_STRING and isinstance(value, str):
            setattr(message, field.name, value + MARKUP)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else [value]:
                _mark(part)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def marked(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Callable[..., str]]:
    """Makes links to a portal whose vendor, customer and people have markup in all their names."""
    access = secured(tmp_path_factory.mktemp("identities"))
    async with own_database(postgres_server) as databases, SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        portal = open_portal(portal_settings(mesh), wall=SystemClock())
        async with open_stubs(mesh.addresses, access.identity) as stubs, portal as front:
            hostile = {one.name: Hostile(getattr(stubs, one.name)) for one in fields(stubs)}
            customer_id = await _live(replace(stubs, **hostile))

            def link(*roles: str) -> str:
                more = {} if roles else {"customer": customer_id}
                token = access.identity.token(*(roles or ("customer",)), subject=EVE, **more)
                return f"http://127.0.0.1:{front.port}/enter?token={token}"

            yield link


async def _live(stubs: Stubs) -> str:
    """Let a customer live half a month, and its eve use, cap and assign what carries her name. Returns its id."""
    offer = await set_prices(stubs, await define_products(stubs))
    signed = await sign_acme(stubs, offer, people=(*PEOPLE[:3], EVE))
    customer_id = signed.contract.customer_id
    await play_half_a_month(stubs, offer, signed.contract)
    pool = {"customer": "acme", "credit_type_id": offer.ai_credits}
    person = {"group_key": "user_id", "group_value": EVE, "limit_micros": 50 * MICROS}
    await stubs.ledger_admin.SetSpendCap(admin.SetSpendCapRequest(request_id="cap", **pool, **person))
    who = {"reason": "a mistake", "actor": "support"}
    adjusted = await stubs.ledger_admin.AdjustBalance(
        admin.AdjustBalanceRequest(request_id="adjust", **pool, amount_micros=MICROS, **who)
    )
    await stubs.ledger_admin.VoidGrant(
        admin.VoidGrantRequest(request_id="void", customer="acme", grant_id=adjusted.grant_id, **who)
    )
    held = ledger.AuthorizeRequest(
        request_id="ask",
        customer="acme",
        product_id=offer.usage[ASSISTANT],
        quantity_micros=MICROS,
        group_values={"user_id": EVE},
    )
    assert (await stubs.gate.Authorize(held)).decision == ledger.DECISION_ALLOWED
    buyer = contract.Party(name="Acme Inc.", address_lines=[f"1 Main Street{MARKUP}"])
    await stubs.contract.SetBillingDetails(
        contract.SetBillingDetailsRequest(
            request_id="details",
            customer=customer_id,
            billing_details=contract.BillingDetails(party=buyer),
        )
    )
    return customer_id


async def _crawl(page: Page, link: str) -> dict[str, str]:
    """Open every page that links and forms lead to without changing anything; returns their texts by address."""
    await page.goto(link)
    texts: dict[str, str] = {}
    waiting = [page.url]
    kinds: Counter[str] = Counter()
    while waiting:
        address = waiting.pop(0)
        kind = ID.sub("#", address)
        if address in texts or kinds[kind] >= PAGES_PER_KIND_MAX:
            continue
        kinds[kind] += 1
        answer = await page.goto(address, wait_until="domcontentloaded")
        assert answer is not None
        assert answer.status < 500, address
        assert await page.locator(ELEMENTS).count() == 0, f"markup became part of {address}"
        assert await page.title() != "x"
        texts[address] = await page.evaluate(TEXT)
        found: list[str] = await page.evaluate(ADDRESSES)
        waiting += [one for one in found if not any(part in one for part in LEFT_OUT)]
    return texts


async def test_markup_in_names_is_text_on_every_page(browser: Browser, marked: Callable[..., str]) -> None:
    texts: dict[str, str] = {}
    for roles in ((), ("operator", "viewer")):
        async with open_visit(browser) as visit:
            texts |= await _crawl(await visit.open_page(), marked(*roles))
            assert visit.faults == []

    everything = "\n".join(texts.values())
    shown = [name for name in SHOWN if name + MARKUP in everything]
    assert shown == list(SHOWN)
