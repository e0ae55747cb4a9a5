# SPDX-License-Identifier: Apache-2.0
"""The data that `make up` starts with: SeatsCo and Acme in June. Prints links to the pages, and calls to paste."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import grpc
import grpc.aio

from deploy.local.fault import Fault
from deploy.local.identity import TOKENS, LocalIdentity
from deploy.local.sample import ANN, PEOPLE, TODAY, play_half_a_month
from deploy.local.seatsco import ASSISTANT, Offer, define_products, open_stubs, set_prices, sign_acme
from deploy.local.stripe import CARD, DECLINED_CARD, SECURE_CARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What was seeded. customer_id: Acme's."""

    offer: Offer
    customer_id: str


async def seed(addresses: Mapping[str, str], identity: LocalIdentity) -> Seeded:
    """Seed a mesh that runs in sandbox mode. Every request has a fixed request_id, so seeding again changes nothing.

    addresses: of the four services. Raises Fault when it was seeded over 34 days ago, because its request ids are then
    deleted, or by a version that seeds something else.
    """
    async with open_stubs(addresses, identity) as stubs:
        try:
            offer = await set_prices(stubs, await define_products(stubs))
            signed = await sign_acme(stubs, offer, people=PEOPLE)
            await play_half_a_month(stubs, offer, signed.contract)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            raise Fault(
                "this data was seeded over a month ago, or by another version; remove the folder .purser to start again"
            ) from None
    return Seeded(offer=offer, customer_id=signed.contract.customer_id)


def links(portal_address: str, identity: LocalIdentity, seeded: Seeded) -> list[str]:
    """Return links to the pages, each after a line that says whose they are, and the cards that can be used there.

    Whoever has a link is signed in.
    """
    tokens = {
        f"Acme's pages, as its administrator {ANN}": identity.token(
            "customer", subject=ANN, customer=seeded.customer_id
        ),
        "SeatsCo's pages, as an operator": identity.token(*TOKENS["vendor"], subject="vendor"),
    }
    return [
        *(
            line
            for whose, token in tokens.items()
            for line in (f"{whose}:", f"  http://{portal_address}/enter?token={token}", "")
        ),
        f"Cards: {CARD} is charged, {DECLINED_CARD} is declined, {SECURE_CARD} asks for 3-D Secure. Any date and code.",
        "",
    ]


def lines_to_paste(
    addresses: Mapping[str, str], identity: LocalIdentity, seeded: Seeded, *, edge_address: str
) -> list[str]:
    """Return grpcurl calls for the running mesh, each after a line that explains it."""
    ledger, contract = addresses["ledger"], addresses["contract"]
    assistant = seeded.offer.usage[ASSISTANT]
    ask = f'{{"request_id": "try-1", "customer": "acme", "product_id": "{assistant}", "quantity_micros": 1000000}}'
    tls = f"grpcurl -cacert {shlex.quote(str(identity.files.authority))}"
    vendor, gate = (
        f'{tls} -H "authorization: Bearer $(cat {shlex.quote(str(identity.token_file(name)))})"'
        for name in ("vendor", "gate")
    )
    return [
        f"The mesh is in sandbox mode: its clock stays at {TODAY:%-d %B %Y} until you advance it. Acme has four seats.",
        "Every call needs a token. These are valid for 30 days, and written anew at each start:",
        *(f"  {identity.token_file(name)}: {', '.join(roles)}" for name, roles in TOKENS.items()),
        f"Metronome's SDK: base_url http://{edge_address}, bearer_token as in {identity.token_file('vendor')}",
        "",
        "# The rpcs of each service",
        *(f"{tls} {address} list    # {service}" for service, address in addresses.items()),
        "# May this AI call be made? (one unit of AI Assistant, 12 credits)",
        f"{gate} -d '{ask}' {ledger} purser.ledger.v1.LedgerService/Authorize",
        "# How many credits are left?",
        f'{gate} -d \'{{"customer": "acme"}}\' {ledger} purser.ledger.v1.LedgerService/GetBalance',
        "# Acme's invoices",
        f'{vendor} -d \'{{"customer": "acme"}}\' {contract} purser.contract.v1.ContractService/ListInvoices',
        "# Advance the clock to the next month",
        f'{vendor} -d \'{{"new_time": "2025-07-01T00:00:00Z"}}\' {contract}'
        " purser.sandbox.v1.ClockService/AdvanceTime",
        "",
    ]
