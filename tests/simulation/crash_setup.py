# SPDX-License-Identifier: Apache-2.0
"""What the Ledger of a crash test knows before the first kill."""

import random
from datetime import UTC, datetime, timedelta

from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceStub
from tests.simulation.crash_book import Book
from tests.simulation.crash_requests import CREDIT_TYPE, CUSTOMERS, EVENT_TYPE, HOT, POOR, PRODUCT
from tests.simulation.crash_writers import Writer


async def set_up(address: str, book: Book) -> None:
    """Apply customers and prices, grant credits (few to POOR), cap one user, and watch the balance of POOR."""
    async with open_channel(address) as channel:
        admin, peer = LedgerAdminServiceStub(channel), LedgerPeerServiceStub(channel)
        await peer.ApplyMetrics(
            peer_pb.ApplyMetricsRequest(
                request_id="product",
                product_id=PRODUCT,
                version=1,
                name="AI Assistant",
                billable_metric_id="met_1",
                event_type=EVENT_TYPE,
                aggregation=peer_pb.AGGREGATION_SUM,
                sum_property="units",
                group_keys=["user_id"],
            )
        )
        yesterday = timestamp(datetime.now(UTC) - timedelta(days=1))
        rate = peer_pb.UsageRate(
            rate_id="rat_1",
            product_id=PRODUCT,
            credit_type_id=CREDIT_TYPE,
            price_micros=12_000_000,
            per_micros=1_000_000,
            effective_time=yesterday,
        )
        await peer.ApplyRateCard(
            peer_pb.ApplyRateCardRequest(request_id="card", rate_card_id="rcd_1", version=1, rates=[rate])
        )
        giver = Writer("giver", address, book, random.Random(0))
        for customer in dict.fromkeys(CUSTOMERS):
            await peer.ApplyCustomer(
                peer_pb.ApplyCustomerRequest(request_id=customer, customer_id=customer, version=1)
            )
            await peer.ApplyContract(
                peer_pb.ApplyContractRequest(
                    request_id=f"contract-{customer}",
                    customer_id=customer,
                    contract_id=f"con_{customer}",
                    version=1,
                    rate_card_id="rcd_1",
                    start_time=yesterday,
                )
            )
            await giver.grant(customer, 20_000_000 if customer == POOR else 10**12)
        await giver.close()
        capped = apb.SetSpendCapRequest(
            request_id="cap",
            customer=HOT,
            credit_type_id=CREDIT_TYPE,
            group_key="user_id",
            group_value="user-1",
            limit_micros=50_000_000,
        )
        book.write(capped, (await admin.SetSpendCap(capped)).spend_cap)
        await peer.WatchThreshold(
            peer_pb.WatchThresholdRequest(
                request_id="watch",
                alert_id="alr_1",
                version=1,
                is_active=True,
                watch_kind=peer_pb.WATCH_KIND_LOW_BALANCE,
                customer_id=POOR,
                credit_type_id=CREDIT_TYPE,
                threshold_micros=10_000_000,
            )
        )
