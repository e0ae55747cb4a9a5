# SPDX-License-Identifier: Apache-2.0
"""What the mesh sells before the first fault, and to whom; everything is set up through the public API."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc

from deploy.local.seatsco import (
    ASSISTANT,
    EVENT_TYPES,
    UNNAMED,
    Offer,
    Stubs,
    define_products,
    included_credits,
    set_prices,
    stubs_of,
    team_plan,
)
from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from services.alert.domain.event import TOLD_EVENTS
from tests.simulation.crash_requests import Wares

HOT, POOR, GATED = "hot", "poor", "gated"
PLAIN = (HOT, "plain-a", "plain-b", POOR, GATED)
SEATED = ("seated-a", "seated-b")
SEATS = 4
THRESHOLD_MICROS = 10 * MICROS


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """ids: customers by alias. contracts: of SEATED, by alias. alert_id: watches the balance of POOR."""

    offer: Offer
    ids: dict[str, str]
    contracts: dict[str, contract.Contract]
    alert_id: str

    @property
    def wares(self) -> Wares:
        """What writers ask for: of HOT most often, and never of GATED, who has callers of its own."""
        names = (HOT, HOT, HOT, "plain-a", "plain-b", POOR)
        return Wares(
            customers=tuple(self.ids[name] for name in names),
            poor=self.ids[POOR],
            product=self.offer.usage[ASSISTANT],
            credit_type=self.offer.ai_credits,
            event_type=EVENT_TYPES[ASSISTANT],
        )


@asynccontextmanager
async def open_stubs(addresses: dict[str, str], credentials: grpc.ChannelCredentials) -> AsyncIterator[Stubs]:
    """Yield stubs to a mesh, for one caller who may do everything."""
    async with AsyncExitStack() as stack:
        yield stubs_of(
            {
                service: await stack.enter_async_context(open_channel(address, credentials))
                for service, address in addresses.items()
            }
        )


async def set_up(stubs: Stubs, receiver: WebhookReceiver) -> World:
    """Create products, prices, customers, an endpoint for webhooks, and an alert on the balance of POOR."""
    endpoint = await stubs.alert.CreateWebhookEndpoint(
        alert.CreateWebhookEndpointRequest(
            request_id="endpoint", url=receiver.url, event_types=[kind.value for kind in TOLD_EVENTS]
        )
    )
    receiver.secret = endpoint.secret
    offer = await set_prices(stubs, await define_products(stubs))
    ids = {alias: await _create_customer(stubs, alias) for alias in (*PLAIN, *SEATED)}
    now = datetime.now(UTC)
    for alias in PLAIN:
        await _sign(stubs, offer, alias, now - timedelta(days=1))
    contracts = {
        alias: await _sign(
            stubs,
            offer,
            alias,
            now - timedelta(hours=1),
            [team_plan(offer, billing_frequency=contract.BILLING_FREQUENCY_ANNUAL, seats=SEATS, **UNNAMED)],
        )
        for alias in SEATED
    }
    watch = await stubs.alert.CreateAlert(
        alert.CreateAlertRequest(
            request_id="alert",
            name="Few credits",
            alert_type=alert.ALERT_TYPE_LOW_BALANCE,
            customer_id=ids[POOR],
            credit_type_id=offer.ai_credits,
            threshold_micros=THRESHOLD_MICROS,
            rearm_micros=THRESHOLD_MICROS,
        )
    )
    return World(offer=offer, ids=ids, contracts=contracts, alert_id=watch.alert.alert_id)


def cap_of(world: World) -> admin.SetSpendCapRequest:
    """Return the request that caps what one user of HOT may spend."""
    return admin.SetSpendCapRequest(
        request_id="cap",
        customer=world.ids[HOT],
        credit_type_id=world.offer.ai_credits,
        group_key="user_id",
        group_value="user-1",
        limit_micros=50 * MICROS,
    )


async def _create_customer(stubs: Stubs, alias: str) -> str:
    made = await stubs.contract.CreateCustomer(
        contract.CreateCustomerRequest(request_id=f"customer-{alias}", name=alias, aliases=[alias])
    )
    return made.customer.customer_id


async def _sign(
    stubs: Stubs,
    offer: Offer,
    alias: str,
    start_time: datetime,
    subscriptions: Sequence[contract.SubscriptionTerms] = (),
) -> contract.Contract:
    signed = await stubs.contract.CreateContract(
        contract.CreateContractRequest(
            request_id=f"contract-{alias}",
            customer=alias,
            name="Team Plan",
            rate_card_id=offer.rate_card,
            start_time=timestamp(start_time),
            subscriptions=subscriptions,
            grant_schedules=[included_credits(offer)] if subscriptions else [],
        )
    )
    return signed.contract
