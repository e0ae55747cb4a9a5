# SPDX-License-Identifier: Apache-2.0
"""A mesh in which somebody has told false numbers is brought into order by its operators."""

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from deploy.local.seatsco import ASSISTANT
from meshkit.quantity import INT64_MAX, MICROS
from meshkit.rpc.client import open_channel
from purser.alert.v1 import alert_pb2 as alert
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.outbox.v1 import dead_letters_pb2 as letters_pb
from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from tests.support.ledger_sql import Sql
from tests.support.mesh import Acme, SwitchedMesh, acme_at, tell_now, until
from tests.support.postgres import Databases

REASON, ACTOR = "a false version", "ops@seatsco.example"
# What the Ledger's copies say, in one row.
COPIED = """
    SELECT (SELECT json_agg(name ORDER BY product_id) FROM ledger.products)::text AS products,
        (SELECT json_agg(is_withdrawn ORDER BY rate_id) FROM ledger.rates)::text AS rates,
        (SELECT end_time FROM ledger.contracts) AS end_time,
        (SELECT threshold_micros FROM ledger.watches) AS threshold_micros,
        (SELECT count(*) FROM ledger.customer_aliases) AS aliases
"""
VERSIONS_DIFFER = " UNION ALL ".join(
    f"SELECT '{copy}' FROM {owner} o JOIN ledger.{copy} c USING ({key}) WHERE o.version <> c.version"
    for owner, copy, key in (
        ("contract.customers", "customers", "customer_id"),
        ("contract.contracts", "contracts", "contract_id"),
        ("catalog.products", "products", "product_id"),
        ("catalog.rate_cards", "rate_cards", "rate_card_id"),
        ("alert.alerts", "watches", "alert_id"),
    )
)


@pytest.fixture
async def mesh(databases: Databases) -> AsyncIterator[SwitchedMesh]:
    async with SwitchedMesh(databases) as running:
        await running.start()
        yield running


@pytest.fixture
async def acme(mesh: SwitchedMesh) -> AsyncIterator[Acme]:
    async with acme_at(mesh.addresses) as customer:
        yield customer


@pytest.fixture
async def sql(databases: Databases) -> AsyncIterator[Sql]:
    async with Sql.connected(databases.admin_url) as connection:
        yield connection


async def repair(acme: Acme, kind: admin.CopyKind, copy_id: str, *, customer_id: str = "") -> None:
    await acme.stubs.ledger_admin.RepairCopy(
        admin.RepairCopyRequest(
            request_id=acme.request_id(),
            copy_kind=kind,
            copy_id=copy_id,
            customer_id=customer_id,
            reason=REASON,
            actor=ACTOR,
        )
    )


async def resend_customer(acme: Acme) -> None:
    await acme.stubs.contract.ResendCustomer(
        contract.ResendCustomerRequest(request_id=acme.request_id(), customer="acme")
    )


async def test_a_customer_who_was_locked_out_for_good_comes_back(
    mesh: SwitchedMesh, acme: Acme, sql: Sql
) -> None:
    # As ApplyCustomer stored it before there was a bound.
    await sql.execute(f"UPDATE ledger.customers SET version = {INT64_MAX}, is_suspended = true")
    await sql.execute("UPDATE ledger.pools SET version = version + 1")
    await acme.stubs.contract.ResumeCustomer(
        contract.ResumeCustomerRequest(request_id=acme.request_id(), customer="acme")
    )
    await resend_customer(acme)
    assert (await acme.authorize(1)).denial_reason == ledger.DENIAL_REASON_CUSTOMER_SUSPENDED
    rejected = await sql.rows("SELECT kind, last_error FROM contract.outbox WHERE rejections > 0")
    assert [one["kind"] for one in rejected] == ["CUSTOMER_CHANGED"]
    assert rejected[0]["last_error"].startswith("NOTICE_TOO_FAR_BEHIND")

    await repair(acme, admin.COPY_KIND_CUSTOMER, acme.contract.customer_id)
    # The notice that was rejected is enough.
    await tell_now(mesh.addresses, "contract", local_only=True)

    assert (await acme.authorize(1)).decision == ledger.DECISION_ALLOWED
    await acme.assert_adds_up()


async def test_an_owner_says_that_a_copy_is_ahead_of_it(acme: Acme, sql: Sql) -> None:
    low = await acme.warn_at(50)
    product_id, card_id = acme.offer.usage[ASSISTANT], acme.offer.rate_card
    tables = ("customers", "contracts", "products", "rate_cards", "watches")

    async def resend_all() -> list[tuple[str, str, int]]:
        """Returns the kind, the key and the lead of every copy that is ahead."""
        with capture_logs() as logs:
            await resend_customer(acme)
            await acme.stubs.catalog.ResendProduct(
                catalog.ResendProductRequest(request_id=acme.request_id(), product_id=product_id)
            )
            await acme.stubs.catalog.ResendRateCard(
                catalog.ResendRateCardRequest(request_id=acme.request_id(), rate_card_id=card_id)
            )
            await acme.stubs.alert.ResendAlert(
                alert.ResendAlertRequest(request_id=acme.request_id(), alert_id=low.alert_id)
            )
        said = [one for one in logs if one["event"] == "copy_ahead"]
        return [(one["kind"], one["key"], one["known"] - one["sent"]) for one in said]

    assert await resend_all() == []
    for table in tables:
        await sql.execute(f"UPDATE ledger.{table} SET version = version + 2")

    ahead = [
        ("CUSTOMER", acme.contract.customer_id),
        ("CONTRACT", acme.contract.contract_id),
        ("PRODUCT", product_id),
        ("RATE_CARD", card_id),
        ("WATCH", low.alert_id),
    ]
    assert await resend_all() == [(*one, 1) for one in ahead]
    assert await resend_all() == []


async def test_every_copy_is_as_its_owner_says_after_a_repair_and_a_resend(acme: Acme, sql: Sql) -> None:
    product_id, card_id = acme.offer.usage[ASSISTANT], acme.offer.rate_card
    customer_id, contract_id = acme.contract.customer_id, acme.contract.contract_id
    low = await acme.warn_at(50)
    before = await sql.rows(COPIED)
    for spoil in (
        f"UPDATE ledger.products SET version = {INT64_MAX}, name = 'false' WHERE product_id = '{product_id}'",
        f"UPDATE ledger.rate_cards SET version = {INT64_MAX}",
        "UPDATE ledger.rates SET is_withdrawn = true",
        f"UPDATE ledger.contracts SET version = {INT64_MAX}, end_time = start_time",
        f"UPDATE ledger.customers SET version = {INT64_MAX}",
        "DELETE FROM ledger.customer_aliases",
        f"UPDATE ledger.watches SET version = {INT64_MAX}, threshold_micros = 1",
    ):
        await sql.execute(spoil)

    await repair(acme, admin.COPY_KIND_CUSTOMER, customer_id)
    await repair(acme, admin.COPY_KIND_CONTRACT, contract_id, customer_id=customer_id)
    await resend_customer(acme)
    await repair(acme, admin.COPY_KIND_PRODUCT, product_id)
    await acme.stubs.catalog.ResendProduct(
        catalog.ResendProductRequest(request_id=acme.request_id(), product_id=product_id)
    )
    await repair(acme, admin.COPY_KIND_RATE_CARD, card_id)
    await acme.stubs.catalog.ResendRateCard(
        catalog.ResendRateCardRequest(request_id=acme.request_id(), rate_card_id=card_id)
    )
    await repair(acme, admin.COPY_KIND_WATCH, low.alert_id)
    await acme.stubs.alert.ResendAlert(
        alert.ResendAlertRequest(request_id=acme.request_id(), alert_id=low.alert_id)
    )

    assert await sql.rows(COPIED) == before
    assert await sql.rows(VERSIONS_DIFFER) == []
    assert (await acme.authorize(1)).decision == ledger.DECISION_ALLOWED
    await acme.assert_adds_up()


async def test_an_alert_in_a_false_state_sees_the_true_one(acme: Acme, sql: Sql) -> None:
    low = await acme.warn_at(50)
    await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_OK)
    await sql.execute(f"UPDATE alert.alert_statuses SET sequence = {INT64_MAX}")
    await acme.debit(380)
    await until(
        lambda: sql.value("SELECT last_error FROM ledger.outbox WHERE sent_time IS NULL"),
        lambda error: str(error).startswith("NOTICE_TOO_FAR_BEHIND"),
    )
    assert await acme.state_of(low) == alert.ALERT_STATE_OK

    await acme.stubs.alert.RepairAlertState(
        alert.RepairAlertStateRequest(
            request_id=acme.request_id(),
            alert_id=low.alert_id,
            customer_id=acme.contract.customer_id,
            reason=REASON,
            actor=ACTOR,
        )
    )

    await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_IN_ALARM)
    await until(
        lambda: sql.value("SELECT count(*) FROM ledger.outbox WHERE sent_time IS NULL"),
        lambda count: count == 0,
    )


async def test_a_paid_top_up_whose_id_was_taken_before_is_seen_by_an_operator(
    mesh: SwitchedMesh, acme: Acme, sql: Sql
) -> None:
    async def issue(amount_micros: int, source_id: str) -> ledger.Grant:
        asked = admin.IssueGrantRequest(
            request_id=acme.request_id(),
            customer="acme",
            credit_type_id=acme.offer.ai_credits,
            grant_kind=ledger.GRANT_KIND_TOP_UP,
            amount_micros=amount_micros,
            source_id=source_id,
        )
        return (await acme.stubs.ledger_admin.IssueGrant(asked)).grant

    ordered = await acme.stubs.contract.OrderTopUp(
        contract.OrderTopUpRequest(
            request_id=acme.request_id(),
            contract_id=acme.contract.contract_id,
            top_up_pack_id=acme.offer.pack,
            payment_gate=contract.PAYMENT_GATE_EXTERNAL,
        )
    )
    top_up_id = ordered.top_up.top_up_id
    tiny = await issue(1, "order")
    # As IssueGrant stored it when it accepted such a source.
    await sql.execute(f"UPDATE ledger.grants SET source_id = '{top_up_id}' WHERE source_id = 'order'")
    before = await acme.available()

    await acme.stubs.contract.ResolveTopUpPayment(
        contract.ResolveTopUpPaymentRequest(
            request_id=acme.request_id(), top_up_id=top_up_id, outcome=contract.PAYMENT_OUTCOME_PAID
        )
    )
    assert await acme.available() == before
    await sql.execute(
        "UPDATE contract.outbox SET rejections = 100, reject_time = now() - interval '1 hour'"
        " WHERE sent_time IS NULL"
    )
    await tell_now(mesh.addresses, "contract", local_only=True)

    async with open_channel(mesh.addresses["contract"]) as channel:
        letters = DeadLetterServiceStub(channel)
        (letter,) = (await letters.ListDeadLetters(letters_pb.ListDeadLettersRequest())).dead_letters
        assert letter.kind == "TOP_UP_PAID"
        assert letter.last_error.startswith("SOURCE_ID_REUSED")
        assert tiny.grant_id in letter.last_error
        await acme.stubs.ledger_admin.VoidGrant(
            admin.VoidGrantRequest(
                request_id=acme.request_id(),
                customer="acme",
                grant_id=tiny.grant_id,
                reason=REASON,
                actor=ACTOR,
            )
        )
        await issue(1_000 * MICROS, f"paid-{top_up_id}")
        await letters.DropDeadLetter(
            letters_pb.DropDeadLetterRequest(
                request_id=acme.request_id(), notice_id=letter.notice_id, reason=REASON, actor=ACTOR
            )
        )

    assert await acme.available() == before - 1 + 1_000 * MICROS
    await acme.assert_adds_up()
