# SPDX-License-Identifier: Apache-2.0
"""On the running mesh, a suspension reaches the gate before SuspendCustomer answers, and the last reason lifts it."""

from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.support.mesh import SwitchedMesh, acme_at
from tests.support.postgres import Databases

REASONS = [
    contract.SUSPENSION_REASON_PAYMENT_OVERDUE,
    contract.SUSPENSION_REASON_PAYMENT_DISPUTED,
    contract.SUSPENSION_REASON_OPERATOR,
]


async def test_the_next_call_is_denied_until_the_last_reason_is_lifted(
    databases: Databases,
) -> None:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            for reason in REASONS:
                await acme.stubs.contract.SuspendCustomer(
                    contract.SuspendCustomerRequest(
                        request_id=acme.request_id(), customer="acme", reason=reason
                    )
                )
                assert (await acme.authorize(1)).denial_reason == ledger.DENIAL_REASON_CUSTOMER_SUSPENDED
            for reason in REASONS:
                assert (await acme.authorize(1)).denial_reason == ledger.DENIAL_REASON_CUSTOMER_SUSPENDED
                await acme.stubs.contract.ResumeCustomer(
                    contract.ResumeCustomerRequest(
                        request_id=acme.request_id(), customer="acme", reason=reason
                    )
                )

            assert (await acme.authorize(1)).decision == ledger.DECISION_ALLOWED
