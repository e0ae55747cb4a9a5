# SPDX-License-Identifier: Apache-2.0
"""The data that `make up` starts with: SeatsCo's catalog, Acme with four seats, and example commands to paste."""

import shlex
from collections.abc import Mapping

import grpc
import grpc.aio
from rich.console import Console

from deploy.local.fault import Fault
from deploy.local.identity import TOKENS, LocalIdentity
from deploy.local.seatsco import ASSISTANT, Offer, define_products, open_stubs, set_prices, sign_acme


async def seed(addresses: Mapping[str, str], identity: LocalIdentity, *, console: Console) -> None:
    """Seed a mesh that runs in sandbox mode. Every request has a fixed request_id, so seeding again changes nothing.

    addresses: of the four services. Raises Fault when it was seeded over 34 days ago: its request ids are deleted.
    """
    async with open_stubs(addresses, identity) as stubs:
        try:
            offer = await set_prices(stubs, await define_products(stubs))
            await sign_acme(stubs, offer)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            raise Fault(
                "this data was seeded over a month ago; remove the folder .purser to start again"
            ) from None
    for line in lines_to_paste(addresses, identity, offer):
        console.print(line, soft_wrap=True, markup=False)


def lines_to_paste(addresses: Mapping[str, str], identity: LocalIdentity, offer: Offer) -> list[str]:
    """Return grpcurl calls for the running mesh, each after a line that explains it."""
    ledger, contract = addresses["ledger"], addresses["contract"]
    assistant = offer.usage[ASSISTANT]
    ask = f'{{"request_id": "try-1", "customer": "acme", "product_id": "{assistant}", "quantity_micros": 1000000}}'
    tls = f"grpcurl -cacert {shlex.quote(str(identity.files.authority))}"
    vendor, gate = (
        f'{tls} -H "authorization: Bearer $(cat {shlex.quote(str(identity.token_file(name)))})"'
        for name in ("vendor", "gate")
    )
    return [
        "",
        "The mesh is up, in sandbox mode: its clock stays at 1 June 2025 until you advance it. Acme has four seats.",
        "Every call needs a token. These are valid for 30 days, and written anew at each start:",
        *(f"  {identity.token_file(name)}: {', '.join(roles)}" for name, roles in TOKENS.items()),
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
