# SPDX-License-Identifier: Apache-2.0
"""A form on somebody else's page changes nothing, though the browser of whoever opens it is signed in."""

import json

import pytest
from playwright.async_api import Page, Route

from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from tests.support.portal import PortalMesh

# Of the same site, so that the cookie is sent, and of another one.
SAME_SITE, OTHER_SITE = FOREIGN = ("http://127.0.0.1:9", "http://localhost:9")
SENDS_ITSELF = """<!doctype html><title>A game</title><script>addEventListener("load", () => {
  const asked = %s, form = document.createElement("form");
  form.method = "post"; form.action = asked.action;
  for (const [name, value] of Object.entries(asked.fields)) {
    const input = document.createElement("input"); input.name = name; input.value = value; form.append(input);
  }
  document.body.append(form); form.submit();
})</script><body></body>"""


def _forms(mesh: PortalMesh) -> dict[str, dict[str, str]]:
    """What would change something, if our own pages sent it with their hidden fields."""
    acme = mesh.acme
    [seats] = acme.contract.subscriptions
    of = {"contract_id": acme.contract.contract_id, "subscription_id": seats.subscription_id}
    cap = {"who": "everyone", "credit_type_id": acme.offer.ai_credits, "limit": "0", "window": "1"}
    return {
        "/seats/change": {**of, "direction": "add", "count": "5", "request_id": "foreign-seats"},
        "/caps/set": {**cap, "request_id": "foreign-cap"},
        "/leave": {},
    }


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", ["/seats/change", "/caps/set", "/leave"])
async def test_a_foreign_form_is_refused(
    browser_page: Page, portal_mesh: PortalMesh, origin: str, path: str
) -> None:
    form = {"action": portal_mesh.url + path, "fields": _forms(portal_mesh)[path]}

    async def show(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=SENDS_ITSELF % json.dumps(form))

    await browser_page.goto(portal_mesh.link())
    await browser_page.route(f"{origin}/game", show)
    async with browser_page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        await browser_page.goto(f"{origin}/game")
    answer = await sent.value
    await browser_page.wait_for_url(f"{portal_mesh.url}/**")

    # Without the cookie there is nobody to act for: it leads to the page where one signs in.
    is_anonymous = answer.status == 303 and answer.headers["location"].startswith("/enter")
    assert answer.status == 403 or (is_anonymous and origin == OTHER_SITE)
    still = await browser_page.goto(f"{portal_mesh.url}/seats")
    assert still is not None
    assert (still.ok, browser_page.url) == (True, f"{portal_mesh.url}/seats")
    await _assert_nothing_changed(portal_mesh)


async def _assert_nothing_changed(mesh: PortalMesh) -> None:
    acme = mesh.acme
    found = await acme.stubs.contract.GetContract(
        contract.GetContractRequest(contract_id=acme.contract.contract_id)
    )
    caps = await acme.stubs.ledger_admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))
    assert [one.quantity for one in found.contract.subscriptions] == [4]
    assert list(caps.spend_caps) == []
