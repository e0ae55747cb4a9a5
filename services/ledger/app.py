# SPDX-License-Identifier: Apache-2.0
"""The Ledger put together from its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from access import open_access
from audit import AuditTrail
from dead_letters import dead_letter_service
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.outbox import Relay
from meshkit.periodic import PeriodicTask
from meshkit.rpc import deadline
from meshkit.rpc.server import RpcService
from meshkit.service import App, service_builder
from purser.ledger.v1.ledger_admin_pb2_grpc import add_LedgerAdminServiceServicer_to_server
from purser.ledger.v1.ledger_pb2_grpc import add_LedgerServiceServicer_to_server
from purser.ledger.v1.ledger_peer_pb2_grpc import add_LedgerPeerServiceServicer_to_server
from purser.ledger.v1.self_service_pb2_grpc import add_SelfServiceServicer_to_server
from purser.ledger.v1.usage_pb2_grpc import add_UsageServiceServicer_to_server
from sandbox import SandboxClock
from services.ledger import tables
from services.ledger.config import LedgerSettings
from services.ledger.operations import Operations
from services.ledger.operations.copies import Copies
from services.ledger.operations.copy_repairs import CopyRepairs
from services.ledger.operations.credits.grants import Grants
from services.ledger.operations.credits.refunds import Refunds
from services.ledger.operations.credits.reports import Reports
from services.ledger.operations.credits.seat_balances import SeatBalances
from services.ledger.operations.credits.settlement import Settlement
from services.ledger.operations.gate.cap_groups import CapGroups
from services.ledger.operations.gate.caps import SpendCaps
from services.ledger.operations.gate.concurrency_caps import ConcurrencyCaps
from services.ledger.operations.gate.explanations import Explanations
from services.ledger.operations.gate.gate import Gate, GateLane, gate_lane
from services.ledger.operations.gate.leases import Leases
from services.ledger.operations.gate.releases import HoldReleases
from services.ledger.operations.gate.shadow import Shadows
from services.ledger.operations.plan_changes import PlanChanges
from services.ledger.operations.retention import Retention
from services.ledger.operations.seat_voids import SeatVoids
from services.ledger.operations.usage.attachment import Attachment
from services.ledger.operations.usage.corrections import Corrections
from services.ledger.operations.usage.imports import Imports
from services.ledger.operations.usage.intake import Intake
from services.ledger.operations.usage.reads import UsageReads
from services.ledger.operations.usage.rerates import Rerates
from services.ledger.operations.usage.rerating import Rerating
from services.ledger.operations.usage.summing import Summing
from services.ledger.operations.watch_sweeps import WatchSweeping
from services.ledger.peers import AlertPeer, ContractPeer
from services.ledger.relay import Deliveries
from services.ledger.server import admin, gate, peer, self_service, usage
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from status import status_service

RELAY_CONNECTIONS = 4
# How often a replica checks whether it is its turn to forget, and to add up what no replica remembers.
FORGET_SECONDS = 300.0
ADD_UP_ALL_SECONDS = 60.0
# How long after one round a replica adds up the usage that it has written since.
ADD_UP_SECONDS = 0.5
# How often a replica checks whether it is its turn to attach events.
ATTACH_SECONDS = 60.0


@asynccontextmanager
async def open_service(
    settings: LedgerSettings, *, clock: Clock, wall: Clock, ids: Ids, shares_port: bool = False
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in sandbox mode a ManualClock; wall: operational time. shares_port: with processes that
    say so too. Raises PortTaken.
    """
    async with service_builder(
        "ledger",
        settings,
        access=open_access,
        clock=clock,
        wall=wall,
        outbox=tables.outbox,
        dead_letters=tables.dead_letters,
        audit=AuditTrail(tables.audit_events, wall=wall, ids=ids),
        sandbox=SandboxClock(tables.sandbox_clock),
        pool_size=RELAY_CONNECTIONS,
        application_name="ledger-relay",
    ) as service:
        pool = await open_pool(service.connections, size=settings.database_connections)
        service.stack.callback(pool.terminate)
        store = PostgresStore(pool, wall=wall, ids=ids, connections=service.connections)
        deliveries = Deliveries(
            AlertPeer(service.channel("alert")), ContractPeer(service.channel("contract"))
        )
        relay = await service.start_relay(deliveries.deliver)
        settlement = Settlement(store=store, ids=ids, relay=relay)
        summing = Summing(store=store, wall=wall)
        retention = Retention(store=store, clock=clock, wall=wall)
        rerating = Rerating(store=store, clock=clock, wall=wall, ids=ids, relay=relay)

        sweeping = WatchSweeping(store=store, clock=clock, ids=ids, relay=relay)

        async def run_due(at: datetime) -> None:
            await settlement.run_due(at)
            await sweeping.run()
            await rerating.run()

        service.start_periodic(
            # May run late: every call first settles what it asks about. This is for customers nobody asks about,
            # and for their alerts.
            PeriodicTask("due", lambda: settlement.run_due(clock.now()), settings.sweep_seconds),
            PeriodicTask("watch_sweeps", sweeping.run, settings.sweep_seconds),
            PeriodicTask("rerate", rerating.run, settings.sweep_seconds),
            PeriodicTask("forget", retention.run, FORGET_SECONDS),
            PeriodicTask("add_up", summing.add_up_written, ADD_UP_SECONDS),
            PeriodicTask("add_up_all", summing.add_up_all, ADD_UP_ALL_SECONDS),
        )
        lane = gate_lane(store=store, clock=clock, ids=ids, relay=relay)
        intake = Intake(lane, left_seconds=deadline.time_left)
        attachment = Attachment(store=store, intake=intake, clock=clock, wall=wall)
        operations = _operations(
            store, relay, settlement, lane, intake, attachment, summing, clock=clock, ids=ids
        )
        lane.start()
        service.stack.push_async_callback(lane.stop)
        service.start_periodic(PeriodicTask("attach", attachment.run, ATTACH_SECONDS))
        yield await service.serve(
            *_rpc_services(operations),
            dead_letter_service(relay),
            status_service(relay, start_time=wall.now()),
            relay=relay,
            run_due=run_due,
            shares_port=shares_port,
        )


def _rpc_services(operations: Operations) -> tuple[RpcService, ...]:
    """One per audience: AI features, reporters of usage, operators, customers, the other services."""
    return (
        RpcService(
            gate.SERVICE_NAME,
            partial(add_LedgerServiceServicer_to_server, gate.LedgerServicer(operations)),
            gate.BYTES_MAX,
        ),
        RpcService(
            usage.SERVICE_NAME,
            partial(add_UsageServiceServicer_to_server, usage.UsageServicer(operations)),
            usage.BYTES_MAX,
        ),
        RpcService(
            admin.SERVICE_NAME,
            partial(add_LedgerAdminServiceServicer_to_server, admin.LedgerAdminServicer(operations)),
        ),
        RpcService(
            self_service.SERVICE_NAME,
            partial(add_SelfServiceServicer_to_server, self_service.SelfServiceServicer(operations)),
        ),
        RpcService(
            peer.SERVICE_NAME,
            partial(add_LedgerPeerServiceServicer_to_server, peer.LedgerPeerServicer(operations)),
        ),
    )


def _operations(
    store: PostgresStore,
    relay: Relay,
    settlement: Settlement,
    lane: GateLane,
    intake: Intake,
    attachment: Attachment,
    summing: Summing,
    *,
    clock: Clock,
    ids: Ids,
) -> Operations:
    return Operations(
        gate=Gate(lane, left_seconds=deadline.time_left),
        intake=intake,
        imports=Imports(intake),
        explanations=Explanations(store=store, clock=clock, ids=ids),
        releases=HoldReleases(store=store, clock=clock, ids=ids, relay=relay),
        leases=Leases(store=store, clock=clock, ids=ids, relay=relay),
        reports=Reports(store=store, clock=clock, settlement=settlement),
        seat_balances=SeatBalances(store=store, clock=clock, ids=ids),
        copies=Copies(store=store, clock=clock, ids=ids, relay=relay, attachment=attachment),
        copy_repairs=CopyRepairs(store=store, clock=clock, ids=ids, relay=relay),
        plan_changes=PlanChanges(store=store, clock=clock, ids=ids, relay=relay),
        seat_voids=SeatVoids(store=store, clock=clock, ids=ids, relay=relay),
        grants=Grants(store=store, clock=clock, ids=ids, relay=relay),
        refunds=Refunds(store=store, clock=clock, ids=ids, relay=relay),
        caps=SpendCaps(store=store, clock=clock, ids=ids),
        cap_groups=CapGroups(store=store, clock=clock, ids=ids),
        concurrency_caps=ConcurrencyCaps(store=store, clock=clock, ids=ids),
        shadows=Shadows(store=store, clock=clock),
        corrections=Corrections(store=store, clock=clock, ids=ids, relay=relay),
        rerates=Rerates(store=store, clock=clock, ids=ids),
        usage=UsageReads(store=store, summing=summing, clock=clock),
    )
