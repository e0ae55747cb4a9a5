# SPDX-License-Identifier: Apache-2.0
"""What the revision before stored is served by this one: responses to repeated requests, and pending notices.

tests/integration/previous holds, per service, every row of its schema as that revision left it, the calls that it
answered and the calls that it made to its peer. It is real, and never changed: newer formats have golden files.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import grpc.aio
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc import StatusCode

from meshkit.rpc.client import open_channel
from tests.support import alert, catalog, contract, ledger
from tests.support.any_rpc import AnyPeer, Json, call, request_of
from tests.support.faults import fault
from tests.support.ledger_sql import Sql
from tests.support.mesh import pending, until
from tests.support.postgres import Databases, PostgresServer, own_database

FOLDER: Final = Path(__file__).parent / "previous"
SERVICES: Final = ("catalog", "contract", "ledger", "alert")
PEER: Final = {"catalog": "ledger", "contract": "ledger", "ledger": "alert", "alert": "ledger"}
KEY: Final = {"catalog": "key", "contract": "key", "ledger": "customer_id", "alert": "key"}
NOBODY: Final = "127.0.0.1:1"  # nothing listens there: a stored response needs no peer

every_service = pytest.mark.parametrize("service", SERVICES)


def previous(service: str) -> Mapping[str, list[Json]]:
    content: Mapping[str, list[Json]] = json.loads((FOLDER / f"{service}.json").read_text())
    return content


@asynccontextmanager
async def upgraded(
    server: PostgresServer, service: str, *, notices: bool = False
) -> AsyncIterator[Databases]:
    """A database with the schema and rows of the revision before, migrated to the newest.

    notices: as if no peer had answered them.
    """
    async with own_database(server) as databases:
        await databases.remake_schema(service)
        (revision,) = previous(service)[f"{service}.alembic_version"]
        await databases.migrate(service, to=revision["version_num"])
        await _load(databases.admin_url, service, notices=notices)
        await databases.migrate(service)
        yield databases


async def _load(url: str, service: str, *, notices: bool) -> None:
    connection = await asyncpg.connect(url)
    tables = {name: rows for name, rows in previous(service).items() if name.startswith(f"{service}.")}
    del tables[f"{service}.alembic_version"]
    try:
        async with connection.transaction():
            # Rows come in any order, so foreign keys are not looked at while they do.
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            for name, rows in tables.items():
                await connection.execute(
                    f"INSERT INTO {name} SELECT * FROM json_populate_recordset(NULL::{name}, $1)",
                    json.dumps(rows),
                )
            if service != "ledger":
                # They are as old as the recording by the wall clock, and would be forgotten in time.
                await connection.execute(f"UPDATE {service}.requests SET create_time = now()")
            if notices:
                await connection.execute(
                    f"UPDATE {service}.outbox SET sent_time = NULL, lease_time = NULL, attempts = 0"
                )
    finally:
        await connection.close()


@asynccontextmanager
async def running(
    service: str, databases: Databases, peer: str = NOBODY, *, posting: str = NOBODY
) -> AsyncIterator[grpc.aio.Channel]:
    """The service of today, its peer at that address, and a channel to it. posting: Contract's Alert."""
    starts: Mapping[str, Any] = {
        "catalog": lambda: catalog.running_catalog(databases, ledger_address=peer),
        "contract": lambda: contract.running_contract(databases, ledger_address=peer, alert_address=posting),
        "ledger": lambda: ledger.running_ledger(databases, alert_address=peer),
        "alert": lambda: alert.running_alert(databases, ledger_address=peer),
    }
    async with starts[service]() as started, open_channel(started.address) as channel:
        yield channel


def other_body(request: Message) -> Message:
    """The request with another text in it, as well-formed as before."""
    other = type(request).FromString(request.SerializeToString())
    texts = [
        field.name
        for field in other.DESCRIPTOR.fields
        if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated and getattr(other, field.name)
    ]
    # In the order of the fields, where a name comes first: any text is well-formed there. The Ledger looks for its
    # customer before the request_id, so another one would be unknown.
    named = sorted(
        (name for name in texts if name != "request_id"), key=lambda name: name.startswith("customer")
    )
    setattr(other, named[0], getattr(other, named[0]) + "x")
    return other


@every_service
async def test_a_request_answered_before_the_upgrade_gets_the_stored_response_and_another_body_is_refused(
    postgres_server: PostgresServer, service: str
) -> None:
    async with upgraded(postgres_server, service) as databases, running(service, databases) as channel:
        for one in previous(service)["calls"]:
            request = request_of(service, one["rpc"], one["request"])

            response = await call(channel, service, one["rpc"], request)
            assert response == _as_answered_today(one["response"]), one
            with fault(
                StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id=one["request"]["request_id"]
            ):
                await call(channel, service, one["rpc"], other_body(request))


@every_service
async def test_notices_from_before_the_upgrade_are_delivered_as_they_would_have_been(
    postgres_server: PostgresServer, service: str
) -> None:
    expected = [_as_told_today(one) for one in previous(service)["told"]]

    async with (
        AnyPeer(PEER[service]) as peer,
        AnyPeer("alert") as posting,
        upgraded(postgres_server, service, notices=True) as databases,
        running(service, databases, peer.address, posting=posting.address),
    ):
        await until(lambda: pending(databases, [service]), lambda count: count == 0)
        # What it asks a peer by itself is no notice.
        heard = [{"rpc": rpc, "request": request} for rpc, request in peer.heard if rpc != "GetContractUsage"]

    assert _by_id(heard) == _by_id(expected)


async def test_a_top_up_that_the_ledger_granted_before_the_upgrade_is_not_granted_again(
    postgres_server: PostgresServer,
) -> None:
    granted = next(one for one in previous("ledger")["calls"] if one["rpc"] == "IssueGrant")
    told = _as_told_today(granted)
    request = request_of("ledger", told["rpc"], told["request"])

    async with upgraded(postgres_server, "ledger") as databases, running("ledger", databases) as channel:
        response = await call(channel, "ledger", told["rpc"], request)

    assert response["grant"]["grant_id"] == granted["response"]["grant"]["grant_id"]


async def test_secrets_that_were_stored_in_plaintext_are_encrypted_by_the_service(
    postgres_server: PostgresServer,
) -> None:
    secrets = [row["secret"] for row in previous("alert")["alert.webhook_secrets"]]

    async with upgraded(postgres_server, "alert") as databases, Sql.connected(databases.admin_url) as sql:
        assert await sql.value("SELECT count(secret) FROM alert.webhook_secrets") == len(secrets) == 2
        async with running("alert", databases):
            await sql.until("SELECT count(secret) = 0 FROM alert.webhook_secrets")
        stored = [
            row["line"]
            for name in previous("alert")
            if name.startswith("alert.")
            for row in await sql.rows(f"SELECT t::text AS line FROM {name} t")
        ]

    assert len(stored) > 10
    assert [line for line in stored for secret in secrets if secret in line] == []


def _as_answered_today(response: Json) -> Json:
    """The response with the fields that the service did not have when it stored it."""
    if (metric := response.get("billable_metric")) and "sum_property" in metric:
        return {**response, "billable_metric": {**metric, "aggregated_property": metric["sum_property"]}}
    if rates := response.get("rates"):
        return {**response, "rates": [{**rate, "rate_type": "RATE_TYPE_FLAT"} for rate in rates]}
    today = dict(response)
    if (customer := response.get("customer")) and customer.get("is_suspended"):
        today["customer"] = {**customer, "suspensions": [{"reason": "SUSPENSION_REASON_OPERATOR"}]}
    if contract_then := response.get("contract"):
        contract_today = _with_intervals(contract_then, "subscriptions", "grant_schedules")
        today["contract"] = {
            **contract_today,
            "overage_policy": {"mode": "OVERAGE_MODE_HARD_STOP"},
            "invoice_collection": {
                "method": "COLLECTION_METHOD_SEND",
                "retry_days": [2, 7, 14, 21],
                "after_last_retry": "AFTER_LAST_RETRY_NOTHING",
            },
        }
    if endpoint := response.get("webhook_endpoint"):
        new = {"event_types": ["alert.in_alarm", "alert.resolved"], "kind": "ENDPOINT_KIND_WEBHOOK"}
        today["webhook_endpoint"] = {**endpoint, **new}
    if alert := response.get("alert"):
        is_spend = alert["alert_type"] == "ALERT_TYPE_SPEND"
        today["alert"] = {**_with_rearm(alert), "owner": "ALERT_OWNER_VENDOR"}
        today["alert"] |= {"window": "SPEND_WINDOW_BILLING_PERIOD"} if is_spend else {}
    if cap := response.get("spend_cap"):
        today["spend_cap"] = {**cap, "scope": "CAP_SCOPE_GROUP_VALUE", "owner": "CAP_OWNER_VENDOR"}
    if subscription := response.get("subscription"):
        today["subscription"] = {**subscription, "interval_count": 1}
    if invoice := response.get("invoice"):
        today["invoice"] = _invoice_today(invoice)
    if invoices := response.get("invoices"):
        today["invoices"] = [_invoice_today(one) for one in invoices]
    return today


def _with_rearm(watched: Json) -> Json:
    """The alert or its watch, whose alarms ended where they began."""
    return {**watched, "rearm_micros": watched["threshold_micros"]}


def _with_intervals(contract_then: Json, *fields: str) -> Json:
    """The contract with what was the only choice: a period is one month or year, of seats and of credits."""
    rhythms = {
        field: [{**one, "interval_count": 1} for one in contract_then[field]]
        for field in fields
        if field in contract_then
    }
    return {**contract_then, **rhythms}


def _invoice_today(invoice: Json) -> Json:
    """The invoice as it was before there were numbers and payments, with what is said of those today."""
    total = invoice["total"]
    is_open = invoice["status"] == "INVOICE_STATUS_FINALIZED"
    return {
        **invoice,
        "status": "INVOICE_STATUS_OPEN" if is_open else invoice["status"],
        "amount_paid": {"currency_code": total["currency_code"]},
        "amount_credited": {"currency_code": total["currency_code"]},
        "amount_due": total if is_open else {"currency_code": total["currency_code"]},
    }


def _as_told_today(told: Json) -> Json:
    """The call that tells the same today: Contract told of a paid top-up by IssueGrant."""
    if told["rpc"] == "ApplyContract":
        return {**told, "request": _with_intervals(told["request"], "grant_schedules")}
    if told["rpc"] == "WatchThreshold":
        return {**told, "request": _with_rearm(told["request"])}
    if told["rpc"] != "IssueGrant":
        return told
    request = dict(told["request"])
    assert request.pop("grant_kind") == "GRANT_KIND_TOP_UP"
    request["customer_id"], request["top_up_id"] = request.pop("customer"), request.pop("source_id")
    return {"rpc": "IssueTopUpGrant", "request": request}


def _by_id(told: list[Json]) -> Mapping[str, Json]:
    """By request_id. The order of a key is checked in tests/store/meshkit/test_outbox.py."""
    assert len({one["request"]["request_id"] for one in told}) == len(told)
    return {one["request"]["request_id"]: one for one in told}
