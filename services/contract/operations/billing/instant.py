# SPDX-License-Identifier: Apache-2.0
"""Billing one instant of a locked contract: the charges of its subscriptions on one draft."""

from datetime import datetime

from meshkit.ids import Ids
from services.contract.domain.billing.charges import charge_due, charge_increases
from services.contract.domain.billing.state import BillingState, next_due_of
from services.contract.domain.contract import Contract
from services.contract.domain.invoice import Invoice
from services.contract.operations.billing.invoicing import draft_of
from services.contract.operations.billing.prices import Rates
from services.contract.store import Transaction


async def bill_instant(
    tx: Transaction,
    contract: Contract,
    states: list[BillingState],
    due_time: datetime,
    rates: Rates,
    *,
    ids: Ids,
) -> tuple[list[BillingState], Invoice | None, datetime | None]:
    """Charge what a locked contract has to bill at an instant.

    rates: the Catalog's prices by subscription, for the periods that are charged. Returns the billing states
    afterwards, the draft if one is to be issued, and the next due time. Raises RateNotFound.
    """
    results = [
        charge_due(state, due_time, rates.get(state.subscription.subscription_id, ())) for state in states
    ]
    for result in results:
        if result.opened is not None:
            subscription = result.state.subscription
            await tx.billing.insert_period(subscription.subscription_id, result.opened)
            await tx.contracts.save_subscription(subscription)
    after = [result.state for result in results]
    lines = [line for result in results for line in result.lines]
    draft = await draft_of(tx, contract, lines, issue_time=due_time, ids=ids)
    return after, draft, next_due_of(after)


async def bill_increases(
    tx: Transaction,
    contract: Contract,
    states: list[BillingState],
    *,
    issue_time: datetime,
    at: datetime,
    ids: Ids,
) -> tuple[list[BillingState], Invoice | None]:
    """Charge what a change of a locked contract, received `at`, has added to its billed periods and is due by now.

    issue_time: since when it is owed. Returns the billing states afterwards, and the draft if one is to be issued.
    """
    results = [charge_increases(state, through=at, due=at) for state in states]
    lines = [line for result in results for line in result.lines]
    draft = await draft_of(tx, contract, lines, issue_time=issue_time, ids=ids)
    return [result.state for result in results], draft
