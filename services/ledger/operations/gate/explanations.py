# SPDX-License-Identifier: Apache-2.0
"""GetDecision: what a hold is based on, or how the gate would decide now."""

from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits import burn_down
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.errors import CustomerNotFound, ProductNotFound
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.commands import ExplainAsk, ExplainHold
from services.ledger.domain.gate.decision import DenialReason, Entitlement
from services.ledger.domain.gate.explanation import Explanation
from services.ledger.domain.gate.spend_cap import cap_uses
from services.ledger.domain.gate.standing import CatalogCopies, CustomerRecord, PriceBook, ask_of
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import PostgresStore, Transaction


class Explanations:
    """Explains decisions, on a snapshot: locks nothing and writes nothing."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def explain(self, command: ExplainAsk | ExplainHold) -> Explanation:
        """Raises CustomerNotFound, ProductNotFound, HoldNotFound."""
        at = self._clock.now()
        match command:
            case ExplainAsk():
                return await self._store.read(lambda tx: self._explain_ask(tx, command, at))
            case ExplainHold():
                return await self._store.read(lambda tx: self._explain_hold(tx, command, at))

    async def _explain_ask(self, tx: Transaction, command: ExplainAsk, at: datetime) -> Explanation:
        customer, book = await _book(tx, command.customer, command.product_id)
        ask = ask_of(customer, book, command.amount, command.group_values, command.properties, at=at)
        if isinstance(ask, DenialReason):
            return _denied_early(ask, book.entitlement_at(at, command.properties), at)
        opened = await open_account(
            tx,
            customer.customer_id,
            ask.entitlement.credit_type_id,
            at=at,
            ids=self._ids,
            group_values=ask.counted_group_values.items(),
            prices=[ask.entitlement.price],
        )
        account = opened.now
        verdict = gate.judge(account, ask, gate.quoted(account, ask), at=opened.at)
        grants = tuple(account.drawable(opened.at, ask.product_id))
        draws = burn_down.allocate(grants, verdict.credits).draws if verdict.reason is None else ()
        return Explanation(
            reason=verdict.reason,
            credits=verdict.credits,
            credit_type_id=account.credit_type_id,
            entitlement=ask.entitlement,
            draws=draws,
            grants=grants,
            caps=verdict.caps,
            decide_time=at,
            expire_time=None,
            available=verdict.available,
        )

    async def _explain_hold(self, tx: Transaction, command: ExplainHold, at: datetime) -> Explanation:
        customer_id = await tx.standings.customer_id(command.customer)
        credit_type_id = await tx.accounts.credit_type_of_hold(customer_id, command.hold_id)
        opened = await open_account(
            tx, customer_id, credit_type_id, at=at, ids=self._ids, hold_id=command.hold_id
        )
        account = opened.now
        hold = account.holds[command.hold_id]
        return Explanation(
            reason=None,
            credits=hold.amount,
            credit_type_id=credit_type_id,
            entitlement=Entitlement(
                contract_id=hold.contract_id,
                anchor=hold.anchor,
                credit_type_id=credit_type_id,
                price=hold.price,
                dimension_values=hold.dimension_values,
            ),
            draws=hold.draws,
            grants=(),
            caps=cap_uses(
                account.caps, hold.counted_group_values, account.spends, anchor=hold.anchor, at=opened.at
            ),
            decide_time=hold.create_time,
            expire_time=hold.expire_time,
            available=account.available(opened.at, hold.product_id),
        )


async def _book(tx: Transaction, customer: str, product_id: ProductId) -> tuple[CustomerRecord, PriceBook]:
    customers = await tx.standings.customers({customer})
    if customer not in customers:
        raise CustomerNotFound(customer=customer)
    asked = (customers[customer].customer_id, product_id)
    books, _ = await tx.standings.price_books({asked}, CatalogCopies())
    if asked not in books:
        raise ProductNotFound(product_id=product_id)
    return customers[customer], books[asked]


def _denied_early(reason: DenialReason, entitlement: Entitlement | None, at: datetime) -> Explanation:
    return Explanation(
        reason=reason,
        credits=Credits(0),
        credit_type_id=None,
        entitlement=entitlement,
        draws=(),
        grants=(),
        caps=(),
        decide_time=at,
        expire_time=None,
        available=Credits(0),
    )
