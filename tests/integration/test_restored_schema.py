# SPDX-License-Identifier: Apache-2.0
"""A Ledger that is restored from an older dump than the other services hears from them again what it has lost."""

from pathlib import Path

from deploy.local.seatsco import ASSISTANT
from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.simulation.recovery.copies import ask, run
from tests.support.mesh import Acme, SwitchedMesh, acme_at, pending, tell_now, until
from tests.support.postgres import Databases

# As in deploy/RUNBOOK.md, "Backup and restore".
DELIVER_AGAIN = (
    "UPDATE {sender}.outbox SET sent_time = NULL, lease_time = NULL, attempts = 0"
    " WHERE sent_time >= '{since}'"
)
SENDERS = ("catalog", "contract", "alert")


async def test_facts_and_debits_of_the_lost_minutes_arrive_again_and_count_once(
    databases: Databases, tmp_path: Path
) -> None:
    dump = str(tmp_path / "ledger.dump")
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            await acme.debit(10)
            low = await acme.warn_at(1_200)
            await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_IN_ALARM)
            await until(lambda: pending(databases), lambda count: count == 0)
            await run("pg_dump", databases.admin_url, "--schema=ledger", "--format=custom", f"--file={dump}")
            since = await ask(databases.admin_url, "SELECT clock_timestamp()")

            await acme.change_seats(+1)
            await acme.buy()
            await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_OK)
            lost = ledger.DebitRequest(
                request_id="in-the-lost-minutes",
                customer="acme",
                product_id=acme.offer.usage[ASSISTANT],
                credits_micros=400 * MICROS,
                group_values={"user_id": "user_1234"},
            )
            await acme.stubs.gate.Debit(lost)
            await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_IN_ALARM)
            await acme.buy()
            await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_OK)
            had = await acme.available()

            await mesh.stop("ledger")
            await ask(databases.admin_url, "DROP SCHEMA ledger CASCADE")
            await run("pg_restore", databases.admin_url, "--exit-on-error", dump)
            for sender in SENDERS:
                await ask(databases.admin_url, DELIVER_AGAIN.format(sender=sender, since=since))
            await mesh.start("ledger")
            for sender in SENDERS:
                await tell_now(mesh.addresses, sender, local_only=True)
            await until(lambda: pending(databases), lambda count: count == 0)
            await _repair(acme, low)

            assert await acme.available() == had + 400 * MICROS
            first = await acme.stubs.gate.Debit(lost)
            again = await acme.stubs.gate.Debit(lost)
            assert first.decision == ledger.DECISION_ALLOWED
            assert again == first
            assert await acme.available() == had
            # Alert hears the next crossing, although the Ledger counts them from an earlier one.
            await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_OK)
            await acme.debit(1_000)
            await until(lambda: acme.state_of(low), lambda state: state == alert.ALERT_STATE_IN_ALARM)
            await acme.assert_adds_up()


async def _repair(acme: Acme, low: alert.Alert) -> None:
    await acme.stubs.alert.RepairAlertState(
        alert.RepairAlertStateRequest(
            request_id=acme.request_id(),
            alert_id=low.alert_id,
            customer_id=acme.contract.customer_id,
            reason="the Ledger was restored",
            actor="drill",
        )
    )
