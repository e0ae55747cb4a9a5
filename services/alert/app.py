# SPDX-License-Identifier: Apache-2.0
"""Alert put together from its parts."""

import os
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from access import open_access
from audit import AuditTrail
from dead_letters import dead_letter_service
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.keyring import Keyring
from meshkit.periodic import PeriodicTask
from meshkit.rpc.server import RpcService
from meshkit.service import MEASURE_SECONDS, App, ServiceBuilder, service_builder
from purser.alert.v1.alert_pb2_grpc import add_AlertServiceServicer_to_server
from purser.alert.v1.alert_peer_pb2_grpc import add_AlertPeerServiceServicer_to_server
from purser.alert.v1.feed_pb2_grpc import add_EventFeedServiceServicer_to_server
from purser.alert.v1.self_service_pb2_grpc import add_SelfServiceServicer_to_server
from sandbox import SandboxClock
from services.alert import meters, tables
from services.alert.config import AlertSettings
from services.alert.mail.mailer import SmtpMailer
from services.alert.operations import Operations
from services.alert.operations.alerts import Alerts
from services.alert.operations.crossings import Crossings
from services.alert.operations.deliveries import Deliveries
from services.alert.operations.destinations import Destinations
from services.alert.operations.endpoints import Endpoints
from services.alert.operations.events import Events
from services.alert.operations.feed import Feed
from services.alert.operations.invoice_totals import InvoiceTotals
from services.alert.operations.notifying import Couriers
from services.alert.operations.repairs import Repairs
from services.alert.operations.replays import Replays
from services.alert.peers import LedgerPeer
from services.alert.reencryption import REENCRYPT_SECONDS, encrypt_secrets
from services.alert.relay import Notices
from services.alert.server import (
    FEED_SERVICE_NAME,
    PEER_SERVICE_NAME,
    SELF_SERVICE_NAME,
    SERVICE_NAME,
    AlertPeerServicer,
    AlertServicer,
    EventFeedServicer,
    SelfServiceServicer,
)
from services.alert.store import PostgresStore
from services.alert.sweeper import FORGET_SECONDS, forget_old
from services.alert.webhooks.poster import HttpPoster
from services.alert.webhooks.posting import DeliveryAttempts
from services.alert.webhooks.replayer import FAIL_SECONDS, Replayer
from services.alert.webhooks.resolver import Resolver, SystemResolver
from services.alert.webhooks.targets import CheckedTargets
from services.alert.webhooks.worker import POSTS_MAX, Worker
from status import status_service

QUIET_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What Alert needs from outside the mesh. Tests replace it.

    randomness: n → n bytes, for secrets and nonces; jitter: 0 to 1, for backoff; tls: None: trust the certificates of
    certifi.
    """

    randomness: Callable[[int], bytes] = os.urandom
    jitter: Callable[[], float] = random.random
    resolver: Resolver | None = None
    tls: ssl.SSLContext | None = None


@asynccontextmanager
async def open_service(
    settings: AlertSettings, *, clock: Clock, wall: Clock, ids: Ids, outside: Outside | None = None
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in sandbox mode a ManualClock; wall: operational time, used for webhooks too.
    Raises PortTaken.
    """
    outside = outside or Outside()
    async with service_builder(
        "alert",
        settings,
        access=open_access,
        clock=clock,
        wall=wall,
        outbox=tables.outbox,
        dead_letters=tables.dead_letters,
        audit=AuditTrail(tables.audit_events, wall=wall, ids=ids),
        sandbox=SandboxClock(tables.sandbox_clock),
    ) as service:
        keyring = Keyring(settings.secret_keys, randomness=outside.randomness)
        store = PostgresStore(service.engine, wall=wall, ids=ids, keyring=keyring)
        relay = await service.start_relay(Notices(LedgerPeer(service.channel("ledger"))).deliver)
        targets = _targets(settings, outside, service)
        mailer = None if settings.mail_server is None else SmtpMailer(settings.mail_server)
        feed = await service.start(Feed(store=store, wall=wall))
        couriers = Couriers(feed)
        worker = await service.start(
            _worker(store, targets, mailer, outside, service, ids=ids, courier=couriers)
        )
        couriers.add(worker)
        replayer = await service.start(Replayer(store=store, courier=worker, wall=wall, ids=ids))
        crossings = Crossings(store=store, courier=couriers, clock=clock, wall=wall, ids=ids)
        invoices = await service.start(InvoiceTotals(store=store, crossings=crossings, courier=couriers))
        service.start_periodic(
            PeriodicTask("quiet_periods", lambda: crossings.run_due(clock.now()), QUIET_SECONDS),
            PeriodicTask("fail", replayer.fail_left, FAIL_SECONDS),
            PeriodicTask("forget", lambda: forget_old(store, wall), FORGET_SECONDS),
            PeriodicTask("measure_deliveries", lambda: meters.measure(store, wall), MEASURE_SECONDS),
            PeriodicTask("encrypt", lambda: encrypt_secrets(store), REENCRYPT_SECONDS),
        )
        operations = Operations(
            alerts=Alerts(store=store, relay=relay, invoices=invoices, clock=clock, ids=ids),
            crossings=crossings,
            events=Events(store=store, courier=couriers, invoices=invoices, wall=wall, ids=ids),
            feed=feed,
            deliveries=Deliveries(store=store, courier=worker, wall=wall),
            endpoints=Endpoints(
                store=store,
                targets=targets,
                wall=wall,
                ids=ids,
                randomness=outside.randomness,
                courier=couriers,
                replayer=replayer,
                can_mail=mailer is not None,
            ),
            destinations=Destinations(
                store=store,
                wall=wall,
                ids=ids,
                randomness=outside.randomness,
                courier=couriers,
                can_mail=mailer is not None,
            ),
            repairs=Repairs(store=store, relay=relay, invoices=invoices),
            replays=Replays(store=store, replayer=replayer, wall=wall, ids=ids),
        )

        async def run_due(at: datetime) -> None:
            await invoices.run()
            await crossings.run_due(at)

        app = await service.serve(
            RpcService(SERVICE_NAME, partial(add_AlertServiceServicer_to_server, AlertServicer(operations))),
            RpcService(
                SELF_SERVICE_NAME, partial(add_SelfServiceServicer_to_server, SelfServiceServicer(operations))
            ),
            RpcService(
                FEED_SERVICE_NAME,
                partial(add_EventFeedServiceServicer_to_server, EventFeedServicer(operations)),
            ),
            RpcService(
                PEER_SERVICE_NAME,
                partial(add_AlertPeerServiceServicer_to_server, AlertPeerServicer(operations)),
            ),
            dead_letter_service(relay),
            status_service(relay, start_time=wall.now()),
            relay=relay,
            run_due=run_due,
        )
        service.stack.callback(feed.end_watches)  # the server, which stops next, waits for running calls
        yield app


def _targets(settings: AlertSettings, outside: Outside, service: ServiceBuilder) -> CheckedTargets:
    resolver = outside.resolver
    if resolver is None:
        resolver = SystemResolver()
        service.stack.callback(resolver.close)
    return CheckedTargets(resolver, allow_private=settings.allow_private_targets)


def _worker(
    store: PostgresStore,
    targets: CheckedTargets,
    mailer: SmtpMailer | None,
    outside: Outside,
    service: ServiceBuilder,
    *,
    ids: Ids,
    courier: Couriers,
) -> Worker:
    poster = HttpPoster(targets, connections_max=POSTS_MAX, tls=outside.tls)
    service.stack.push_async_callback(poster.close)
    attempts = DeliveryAttempts(
        store=store,
        poster=poster,
        mailer=mailer,
        wall=service.wall,
        jitter=outside.jitter,
        ids=ids,
        courier=courier,
    )
    return Worker(attempts)
