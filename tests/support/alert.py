# SPDX-License-Identifier: Apache-2.0
"""A real Alert on a free port with a database for one test, and a stub to call it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from deploy.local.ports import free_port
from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import Clock, ManualClock, SystemClock
from meshkit.ids import Ids
from meshkit.keyring import Keyring, keys_from_text, new_key
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from meshkit.service import App
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.alert.v1.alert_peer_pb2_grpc import AlertPeerServiceStub
from purser.alert.v1.feed_pb2_grpc import EventFeedServiceStub
from services.alert.app import Outside, open_service
from services.alert.config import AlertSettings
from tests.support.postgres import Databases

if TYPE_CHECKING:
    # The stub of an aio channel has a separate type, which exists only in the .pyi.
    from purser.alert.v1.alert_pb2_grpc import AlertServiceAsyncStub
    from purser.alert.v1.alert_peer_pb2_grpc import AlertPeerServiceAsyncStub
    from purser.alert.v1.feed_pb2_grpc import EventFeedServiceAsyncStub

AlertStub: TypeAlias = "AlertServiceAsyncStub"
AlertPeerStub: TypeAlias = "AlertPeerServiceAsyncStub"
FeedStub: TypeAlias = "EventFeedServiceAsyncStub"

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
NOBODY = "127.0.0.1:1"  # nothing listens there: an unavailable peer
ACME = "cus_acme"
SECRET_KEYS = new_key(bytes)


def a_keyring() -> Keyring:
    """The keyring of an Alert with SECRET_KEYS."""
    return Keyring(keys_from_text(SECRET_KEYS))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningAlert:
    """The service, how to call it, and its business clock."""

    app: App
    address: str
    stub: AlertStub
    peer: AlertPeerStub
    feed: FeedStub
    clock: ManualClock


@asynccontextmanager
async def running_alert(
    databases: Databases,
    *,
    ledger_address: str = NOBODY,
    allow_private_targets: bool = True,
    sandbox: bool = False,
    wall: Clock | None = None,
    outside: Outside | None = None,
    secret_keys: str = SECRET_KEYS,
    smtp: Mapping[str, Any] | None = None,
) -> AsyncIterator[RunningAlert]:
    clock = ManualClock(JUNE)
    wall = wall or SystemClock()
    settings = AlertSettings(
        insecure=True,
        database_url=databases.url("alert"),
        listen=f"127.0.0.1:{free_port()}",
        catalog_address=NOBODY,
        contract_address=NOBODY,
        ledger_address=ledger_address,
        allow_private_targets=allow_private_targets,
        secret_keys=secret_keys,
        sandbox=sandbox,
        **(smtp or {}),
    )
    async with (
        open_service(settings, clock=clock, wall=wall, ids=Ids(wall), outside=outside) as app,
        open_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        yield RunningAlert(
            app=app,
            address=f"127.0.0.1:{app.port}",
            stub=AlertServiceStub(channel),
            peer=AlertPeerServiceStub(channel),
            feed=EventFeedServiceStub(channel),
            clock=clock,
        )


@asynccontextmanager
async def running_receiver() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


async def an_endpoint(
    alert: AlertStub, receiver: WebhookReceiver, *, request_id: str = "endpoint"
) -> pb.WebhookEndpoint:
    """Register the receiver, and give it the secret to verify signatures."""
    request = pb.CreateWebhookEndpointRequest(request_id=request_id, url=receiver.url)
    created = await alert.CreateWebhookEndpoint(request)
    receiver.secret = created.secret
    return created.webhook_endpoint


async def an_alert(
    alert: AlertStub,
    *,
    request_id: str = "alert",
    name: str = "",
    customer_id: str = ACME,
    threshold_micros: int = 10_000_000,
) -> pb.Alert:
    """Create a LOW_BALANCE alert. Its name contains the request_id, unless that is the usual one."""
    usual = "Nearly out of credits" if request_id == "alert" else f"Nearly out of credits ({request_id})"
    request = pb.CreateAlertRequest(
        request_id=request_id,
        name=name or usual,
        alert_type=pb.ALERT_TYPE_LOW_BALANCE,
        customer_id=customer_id,
        credit_type_id="crt_ai",
        threshold_micros=threshold_micros,
    )
    return (await alert.CreateAlert(request)).alert


async def a_spend_alert(
    alert: AlertStub, *, request_id: str = "alert", customer_id: str = ACME, group_value: str = ""
) -> pb.Alert:
    """Create a SPEND alert on the spend of each user_id, or of one of them."""
    request = pb.CreateAlertRequest(
        request_id=request_id,
        name="Spends much" if request_id == "alert" else f"Spends much ({request_id})",
        alert_type=pb.ALERT_TYPE_SPEND,
        customer_id=customer_id,
        credit_type_id="crt_ai",
        threshold_micros=1_000_000_000,
        group_key="user_id",
        group_value=group_value,
    )
    return (await alert.CreateAlert(request)).alert


def a_crossing(
    alert: pb.Alert,
    sequence: int,
    *,
    in_alarm: bool,
    value_micros: int = 7_500_000,
    customer_id: str = ACME,
    group_value: str = "",
    at: datetime = JUNE,
) -> peer_pb.ObserveCrossingRequest:
    """Send what the Ledger sends, with a unique request_id like those of its notices."""
    return peer_pb.ObserveCrossingRequest(
        request_id=f"ntc_{alert.alert_id[-8:]}_{customer_id}_{group_value.encode().hex()}_{sequence}",
        alert_id=alert.alert_id,
        customer_id=customer_id,
        group_value=group_value,
        in_alarm=in_alarm,
        value_micros=value_micros,
        sequence=sequence,
        observe_time=timestamp(at),
    )


class Names:
    """A name server without a network; maps each host to addresses."""

    def __init__(self, answers: Mapping[str, list[str]]) -> None:
        self.answers = dict(answers)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self.answers.get(host, ())


async def deliveries_of(alert: AlertStub, alert_id: str) -> list[pb.Delivery]:
    """Return all deliveries of an alert, newest first."""
    return list((await alert.ListDeliveries(pb.ListDeliveriesRequest(alert_id=alert_id))).deliveries)


async def until_delivery(
    alert: AlertStub, alert_id: str, is_so: Callable[[pb.Delivery], bool]
) -> pb.Delivery:
    """List deliveries until one of the alert satisfies `is_so`, and return it. Raises TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while True:
            for delivery in await deliveries_of(alert, alert_id):
                if is_so(delivery):
                    return delivery
