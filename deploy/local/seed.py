# SPDX-License-Identifier: Apache-2.0
"""The data that `make up` starts with: SeatsCo's catalog, Acme with four seats, and example commands to paste."""

from collections.abc import Mapping

import grpc
import grpc.aio
from rich.console import Console

from deploy.local.fault import Fault
from deploy.local.seatsco import ASSISTANT, Offer, define_products, open_stubs, set_prices, sign_acme


async def seed(addresses: Mapping[str, str], *, console: Console) -> None:
    """Seed a mesh that runs in sandbox mode. Every request has a fixed request_id, so seeding again changes nothing.

    addresses: of the four services. Raises Fault when it was seeded over 34 days ago: its request ids are deleted.
    """
    async with open_stubs(addresses) as stubs:
        try:
            offer = await set_prices(stubs, await define_products(stubs))
            await sign_acme(stubs, offer)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            raise Fault(
                "this data was seeded over a month ago; remove the folder .purser to start again"
            ) from None
    for line in lines_to_paste(addresses, offer):
        console.print(line, soft_wrap=True, markup=False)


def lines_to_paste(addresses: Mapping[str, str], offer: Offer) -> list[str]:
    """Return grpcurl calls for the running mesh, each after a line that explains it."""
    ledger, contract = addresses["ledger"], addresses["contract"]
    assistant = offer.usage[ASSISTANT]
    ask = f'{{"request_id": "try-1", "customer": "acme", "product_id": "{assistant}", "quantity_micros": 1000000}}'
    return [
        "",
        "The mesh is up, in sandbox mode: its clock stays at 1 June 2025 until you advance it. Acme has four seats.",
        "",
        "# The rpcs of each service",
        *(f"grpcurl -plaintext {address} list    # {service}" for service, address in addresses.items()),
        "# May this AI call be made? (one unit of AI Assistant, 12 credits)",
        f"grpcurl -plaintext -d '{ask}' {ledger} purser.ledger.v1.LedgerService/Authorize",
        "# How many credits are left?",
        f'grpcurl -plaintext -d \'{{"customer": "acme"}}\' {ledger} purser.ledger.v1.LedgerService/GetBalance',
        "# Acme's invoices",
        f'grpcurl -plaintext -d \'{{"customer": "acme"}}\' {contract}'
        " purser.contract.v1.ContractService/ListInvoices",
        "# Advance the clock to the next month",
        f'grpcurl -plaintext -d \'{{"new_time": "2025-07-01T00:00:00Z"}}\' {contract}'
        " purser.sandbox.v1.ClockService/AdvanceTime",
        "",
    ]
