# SPDX-License-Identifier: Apache-2.0
"""SetAutoTopUp, DisableAutoTopUp, reports of the Ledger, and the orders that follow from them.

A report is recorded at once. Ordering and charging are steps that any replica can repeat: the decision and the order
are one transaction, and the charge has an idempotency key that is derived from the order.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

import structlog

from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable, error_text
from meshkit.ids import Ids
from services.contract.domain.auto_top_up import (
    AutoTopUp,
    AutoTopUpStatus,
    LevelReport,
    Ordered,
    StopReason,
    action_required,
    blocked,
    charged,
    disabled,
    new_auto_top_up,
    ordered,
    packs_to_order,
    payment_window,
    refuse_bad_terms,
    reported,
    set_again,
    terms_of_order,
    unblocked,
)
from services.contract.domain.commands.top_ups import DisableAutoTopUp, PayTopUp, SetAutoTopUp
from services.contract.domain.contract import Contract, refuse_not_in_force
from services.contract.domain.errors.contracts import ContractEnded
from services.contract.domain.errors.payments import PaymentMethodMissing, PaymentMethodUnknown
from services.contract.domain.errors.top_ups import AutoTopUpNotFound, TopUpAlreadyResolved
from services.contract.domain.ids import AutoTopUpId, ContractId, TopUpId
from services.contract.domain.notices import top_up_level_changed
from services.contract.domain.payments import PaymentState
from services.contract.domain.top_up import PaymentGate, TopUpStatus, refuse_free, refuse_other_currency
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.auto_orders import save_auto_top_up
from services.contract.operations.payments import Payments
from services.contract.operations.ports import Ledger, Relay
from services.contract.operations.top_ups import TopUps
from services.contract.store import PostgresStore, Transaction

PER_READ_MAX = 100
LEASE = timedelta(minutes=2)  # longer than a charge

log = structlog.get_logger(__name__)


class AutoTopUps:
    """Keeps automatic top-ups, and buys what they ask for. wall: when a step is repeated."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        ledger: Ledger,
        top_ups: TopUps,
        payments: Payments,
        relay: Relay,
        clock: Clock,
        wall: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._top_ups = top_ups
        self._payments = payments
        self._relay = relay
        self._clock = clock
        self._wall = wall
        self._ids = ids

    async def set(self, command: SetAutoTopUp) -> AutoTopUp:
        """Set up, change or enable the automatic top-up of the pack's credit type.

        Raises ContractNotFound, ContractEnded, ContractNotStarted, TopUpPackNotFound, ProductNotFound,
        CreditTypeNotFound, ProductNotFixed, CurrencyDiffers, InvalidFields, PaymentMethodMissing, PeerUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, AutoTopUp)) is not None:
            return first
        terms = replace(command.terms, payment_gate=self._payments.gate)
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(terms.contract_id)
        refuse_not_in_force(contract, at=at)
        pack, _ = await self._top_ups.pack(terms.top_up_pack_id, contract.rate_card_id)
        refuse_free(pack, field="top_up_pack_id")
        refuse_other_currency(replace(pack, price=terms.monthly_limit), pack.price.currency_code)
        refuse_bad_terms(terms, pack)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, AutoTopUp)) is not None:
                return first
            customer_id = await tx.contracts.customer_of(terms.contract_id)
            await tx.customers.lock_id(customer_id)
            refuse_not_in_force(await tx.contracts.find(terms.contract_id), at=at)
            if terms.payment_gate is PaymentGate.STRIPE and await tx.payments.method_of(customer_id) is None:
                raise PaymentMethodMissing(customer_id=customer_id)
            before = await tx.auto_top_ups.of_pool(customer_id, pack.credit_type_id)
            if before is None:
                auto = new_auto_top_up(
                    AutoTopUpId(self._ids.new("atu")), customer_id, pack.credit_type_id, terms, at=at
                )
                await tx.auto_top_ups.insert(auto)
                await tx.outbox.enqueue(top_up_level_changed(auto), key=customer_id)
            else:
                auto = set_again(before, terms, at=at)
                await save_auto_top_up(tx, before, auto, at=at)
            await tx.responses.store(command, auto)
        await self._relay.deliver_now(customer_id)
        return auto

    async def disable(self, command: DisableAutoTopUp) -> AutoTopUp:
        """Order nothing any more. An order under way is waited for. Raises AutoTopUpNotFound."""
        at = self._clock.now()
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, AutoTopUp)) is not None:
                return first
            before = await self._lock(tx, command.auto_top_up_id)
            auto = disabled(before, StopReason.BY_REQUEST, at=at)
            await save_auto_top_up(tx, before, auto, at=at)
            await tx.responses.store(command, auto)
        await self._relay.deliver_now(auto.customer_id)
        return auto

    async def get(self, auto_top_up_id: AutoTopUpId) -> tuple[AutoTopUp, Ordered]:
        """Return it with what it has ordered in this month and on this day. Raises AutoTopUpNotFound."""
        async with self._store.transaction() as tx:
            auto = await tx.auto_top_ups.find(auto_top_up_id)
            return auto, await tx.auto_top_ups.ordered(auto, at=self._clock.now())

    async def list(self, customer: str) -> Sequence[AutoTopUp]:
        """Return all of a customer in order of creation. Raises CustomerNotFound."""
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(customer)).customer_id
            return await tx.auto_top_ups.of_customer(customer_id)

    async def report(self, report: LevelReport) -> None:
        """Record what the Ledger says of a pool. A repeated report, and one of an unknown id, changes nothing."""
        async with self._store.transaction() as tx:
            try:
                before = await self._lock(tx, report.auto_top_up_id)
            except AutoTopUpNotFound:
                return
            after = reported(before, report)
            if after != before:
                await save_auto_top_up(tx, before, after, at=self._clock.now())
                await tx.due_records.reported(after)

    async def run_due(self, at: datetime) -> None:
        """Ask the Ledger again where a limit has passed by business time, and do every step due by the wall clock."""
        await self._unblock(at)
        await ask_about_due(self._lease_due, self._try_step)

    async def _unblock(self, at: datetime) -> None:
        while True:
            async with self._store.transaction() as tx:
                passed = await tx.auto_top_ups.unblockable(at=at, rows_max=PER_READ_MAX)
            for one in passed:
                async with self._store.transaction() as tx:
                    before = await self._lock(tx, one.auto_top_up_id)
                    customer = await tx.customers.find(before.customer_id)
                    after = unblocked(before, at=at, is_suspended=customer.is_suspended)
                    await save_auto_top_up(tx, before, after, at=at)
                    if after != before:
                        await tx.due_records.of_auto_top_up(after)
            if len(passed) < PER_READ_MAX:
                return

    async def _lease_due(self, rows_max: int) -> Sequence[AutoTopUp]:
        now = self._wall.now()
        async with self._store.transaction() as tx:
            return await tx.auto_top_ups.lease_due(at=now, until=now + LEASE, rows_max=rows_max)

    async def _try_step(self, auto: AutoTopUp) -> None:
        try:
            if auto.status is AutoTopUpStatus.ASKED:
                auto = await self._order(auto)
            if auto.has_step and auto.status is AutoTopUpStatus.ORDERED:
                assert auto.top_up_id is not None
                await self._charge(auto, auto.top_up_id)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("auto_top_up_waits", auto_top_up_id=auto.auto_top_up_id, error=error_text(error))

    async def _order(self, asked: AutoTopUp) -> AutoTopUp:
        """Order what brings the pool to recharge_to, or block. Returns the automatic top-up after it."""
        at = self._clock.now()
        async with self._store.transaction() as tx:
            contract = await self._contract_at(tx, asked.terms.contract_id, at)
        pack, product_name, refusal = None, "", StopReason.CONTRACT_ENDED
        if contract is not None:
            try:
                pack, product_name = await self._top_ups.pack(
                    asked.terms.top_up_pack_id, contract.rate_card_id
                )
            except Unavailable:
                raise
            except MeshError as fault:
                log.warning(
                    "auto_top_up_refused", auto_top_up_id=asked.auto_top_up_id, error=error_text(fault)
                )
                refusal = StopReason.PACK_UNAVAILABLE
        owed = await self._ledger.owed(asked.customer_id, asked.terms.monthly_limit.currency_code)
        async with self._store.transaction() as tx:
            before = await self._lock(tx, asked.auto_top_up_id)
            if before.status is not AutoTopUpStatus.ASKED or before.terms != asked.terms:
                return before
            customer = await tx.customers.find(before.customer_id)
            if customer.is_suspended:
                after = blocked(before, StopReason.CUSTOMER_SUSPENDED, at=at)
            elif contract is None or pack is None:
                after = disabled(before, refusal, at=at)
            else:
                packs = packs_to_order(before, pack, await tx.auto_top_ups.ordered(before, at=at), owed)
                if isinstance(packs, StopReason):
                    after = blocked(before, packs, at=at)
                else:
                    gate = before.terms.payment_gate
                    placed = await self._top_ups.place(
                        tx,
                        await tx.contracts.lock(contract.contract_id),
                        terms_of_order(pack, packs),
                        product_name,
                        top_up_pack_id=before.terms.top_up_pack_id,
                        gate=gate,
                        window=payment_window(gate),
                        at=at,
                    )
                    after = ordered(before, placed.top_up, at=at)
                    await tx.auto_top_ups.add_order(after, placed.top_up)
            await save_auto_top_up(tx, before, after, at=at)
            await tx.due_records.of_auto_top_up(after)
        await self._relay.deliver_now(after.customer_id)
        return after

    async def _charge(self, auto: AutoTopUp, top_up_id: TopUpId) -> None:
        """Charge an order to the saved payment method, and end it if that is declined."""
        command = PayTopUp(
            request_id=f"{top_up_id}/auto",
            fingerprint=sha256(top_up_id.encode()).digest(),
            top_up_id=top_up_id,
            payment_method_id="",
        )
        try:
            await self._payments.pay(command)
        except TopUpAlreadyResolved:
            return  # its end has been followed
        except (PaymentMethodMissing, PaymentMethodUnknown) as fault:
            log.warning("auto_top_up_declined", auto_top_up_id=auto.auto_top_up_id, error=error_text(fault))
        async with self._store.transaction() as tx:
            before = await self._lock(tx, auto.auto_top_up_id)
            payment = await tx.payments.of_top_up(top_up_id)
            assert payment is not None
            if before.top_up_id != top_up_id:
                return
            if payment.state is PaymentState.ACTION_REQUIRED:
                after = action_required(before, await tx.top_ups.find(top_up_id))
            elif payment.state is PaymentState.PROCESSING:
                after = charged(before)
            else:
                after = before
            await save_auto_top_up(tx, before, after, at=self._clock.now())
        if after == before:
            await self._payments.end(top_up_id, TopUpStatus.CANCELLED)

    async def _contract_at(self, tx: Transaction, contract_id: ContractId, at: datetime) -> Contract | None:
        """Return the contract, or what changes of plan made of it, if it is in force at an instant."""
        while True:
            contract = await tx.contracts.find(contract_id)
            try:
                refuse_not_in_force(contract, at=at)
            except ContractEnded:
                change = await tx.plan_changes.that_ended(contract_id)
                if change is None or change.begun_contract_id is None:
                    return None
                contract_id = change.begun_contract_id
                continue
            return contract

    async def _lock(self, tx: Transaction, auto_top_up_id: AutoTopUpId) -> AutoTopUp:
        """Lock the customer of an automatic top-up, and return it. Raises AutoTopUpNotFound."""
        await tx.customers.lock_id((await tx.auto_top_ups.find(auto_top_up_id)).customer_id)
        return await tx.auto_top_ups.find(auto_top_up_id)
