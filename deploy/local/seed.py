# SPDX-License-Identifier: Apache-2.0
"""What `make up` finds ready to try: SeatsCo's catalog, Acme with four seats, and lines to paste."""

from collections.abc import Mapping
from typing import Protocol

import grpc
import grpc.aio
from rich.console import Console

from deploy.local.fault import Fault
from deploy.local.seatsco import ASSISTANT, Offer, define_products, open_stubs, set_prices, sign_acme


class Mesh(Protocol):
    """A mesh that runs in sandbox mode."""

    @property
    def addresses(self) -> Mapping[str, str]: ...


async def seed(mesh: Mesh, *, console: Console) -> None:
    """Seed a mesh, or recognise that it was seeded before: every request keeps its id, so it is answered again.

    Raises Fault when that was so long ago (34 days) that its request ids are forgotten.
    """
    async with open_stubs(mesh.addresses) as stubs:
        try:
            offer = await set_prices(stubs, await define_products(stubs))
            await sign_acme(stubs, offer)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            raise Fault(
                "this data was seeded over a month ago; remove the folder .purser to begin anew"
            ) from None
    for line in lines_to_paste(mesh.addresses, offer):
        console.print(line, soft_wrap=True, markup=False)


def lines_to_paste(addresses: Mapping[str, str], offer: Offer) -> list[str]:
    """Return grpcurl calls for the running mesh, with a sentence before each."""
    ledger, contract = addresses["ledger"], addresses["contract"]
    assistant = offer.usage[ASSISTANT]
    ask = f'{{"request_id": "try-1", "customer": "acme", "product_id": "{assistant}", "quantity_micros": 1000000}}'
    return [
        "",
        "The mesh is up, in sandbox mode: its clock stands at 1 June 2025 until you move it. Acme has four seats.",
        "",
        "# What is served",
        *(f"grpcurl -plaintext {address} list    # {service}" for service, address in addresses.items()),
        "# May this AI call be made? (one unit of AI Assistant, 12 credits)",
        f"grpcurl -plaintext -d '{ask}' {ledger} purser.ledger.v1.LedgerService/Authorize",
        "# What is left",
        f'grpcurl -plaintext -d \'{{"customer": "acme"}}\' {ledger} purser.ledger.v1.LedgerService/GetBalance',
        "# Acme's invoices",
        f'grpcurl -plaintext -d \'{{"customer": "acme"}}\' {contract}'
        " purser.contract.v1.ContractService/ListInvoices",
        "# Jump to the next month",
        f'grpcurl -plaintext -d \'{{"new_time": "2025-07-01T00:00:00Z"}}\' {contract}'
        " purser.sandbox.v1.ClockService/AdvanceTime",
        "",
    ]
