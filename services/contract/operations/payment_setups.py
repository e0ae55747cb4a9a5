# SPDX-License-Identifier: Apache-2.0
"""CreatePaymentSetup, GetPaymentSetup, and asking what became of setups.

A setup moves no money. It is stored before it is created at the provider; no transaction is open while that is asked.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from meshkit.clock import Clock
from meshkit.errors import error_text
from meshkit.ids import Ids
from services.contract.domain.commands.top_ups import CreatePaymentSetup
from services.contract.domain.payment_setups import (
    ENDED,
    PaymentSetup,
    PaymentSetupId,
    ProviderSetup,
    SetupNow,
    SetupState,
    check_after,
    created,
    followed,
    new_setup,
)
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.collecting import save_method
from services.contract.operations.ports import PaymentProvider, Relay
from services.contract.operations.through_provider import ThroughProvider
from services.contract.store import PostgresStore, Transaction

LEASE = timedelta(minutes=2)  # longer than any question to the provider

log = structlog.get_logger(__name__)


class PaymentSetups(ThroughProvider):
    """Lets customers save payment methods at the provider. wall: when the provider is asked again."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        provider: PaymentProvider | None,
        publishable_key: str,
        relay: Relay,
        clock: Clock,
        wall: Clock,
        ids: Ids,
    ) -> None:
        super().__init__(store=store, provider=provider, relay=relay, clock=clock, wall=wall, ids=ids)
        self._publishable_key = publishable_key

    def _require_provider(self) -> None:
        assert self._provider

    async def create(self, command: CreatePaymentSetup) -> SetupNow:
        """Begin a setup; the customer at the provider is the one known so far, or a new one.

        Raises CustomerNotFound, PaymentsNotSetUp, PaymentProviderUnavailable.
        """
        async with self._store.transaction() as tx:
            setup = await tx.responses.claim(command, PaymentSetup)
            if setup is None:
                customer_id = (await tx.customers.find(command.customer)).customer_id
                self._require_provider()
                setup = new_setup(
                    PaymentSetupId(self._ids.new("pst")),
                    customer_id,
                    await tx.payment_setups.provider_customer_of(customer_id),
                    at=self._clock.now(),
                )
                await tx.payment_setups.insert(setup, due=self._wall.now())
                await tx.responses.store(command, setup)
        return await self.get(setup.payment_setup_id)

    async def get(self, payment_setup_id: PaymentSetupId) -> SetupNow:
        """Ask the provider what became of a setup; one that SUCCEEDED is the customer's payment method from then on.

        Raises PaymentSetupNotFound, PaymentsNotSetUp, PaymentProviderUnavailable.
        """
        async with self._store.transaction() as tx:
            setup = await tx.payment_setups.find(payment_setup_id)
        said = await self._advance(setup)
        async with self._store.transaction() as tx:
            setup = await tx.payment_setups.find(payment_setup_id)
        return SetupNow(
            setup=setup,
            action=None if said is None or setup.state in ENDED else said.action,
            publishable_key=self._publishable_key,
        )

    async def hint(self, provider_setup_id: str) -> bool:
        """Remember that a setup has changed at the provider, which is asked soon; False if it is unknown here."""
        async with self._store.transaction() as tx:
            return await tx.payment_setups.hint(provider_setup_id, at=self._wall.now())

    async def run_due(self) -> None:
        """Ask about every setup that is due by the wall clock."""
        if self._known_provider is not None:
            await ask_about_due(self._lease_due, self._try_to_advance)

    async def _lease_due(self, rows_max: int) -> Sequence[PaymentSetup]:
        now = self._wall.now()
        async with self._store.transaction() as tx:
            return await tx.payment_setups.lease_due(at=now, until=now + LEASE, rows_max=rows_max)

    async def _try_to_advance(self, setup: PaymentSetup) -> None:
        try:
            await self._advance(setup)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("setup_waits", payment_setup_id=setup.payment_setup_id, error=error_text(error))

    async def _advance(self, setup: PaymentSetup) -> ProviderSetup | None:
        if setup.state in ENDED:
            return None
        if setup.state is SetupState.NEW:
            setup = await self._create(setup)
        said = await self._provider.find_setup(setup.provider_setup_id)
        method = None
        if said.state is SetupState.SUCCEEDED:
            method = await self._provider.method(
                setup.customer_id,
                setup.provider_customer_id,
                said.payment_method_id,
                at=self._clock.now(),
            )
        async with self._store.transaction() as tx:
            before = await tx.payment_setups.lock(setup.payment_setup_id)
            after = followed(before, said)
            if method is not None and after.state is not before.state:
                await save_method(tx, method, at=self._clock.now())
                await tx.due_records.method_saved(after)
            await self._save(tx, after)
        return said

    async def _create(self, setup: PaymentSetup) -> PaymentSetup:
        customer = setup.provider_customer_id or await self._provider.create_customer(setup.customer_id)
        said = await self._provider.create_setup(setup, provider_customer_id=customer)
        async with self._store.transaction() as tx:
            known = created(await tx.payment_setups.lock(setup.payment_setup_id), customer, said)
            await self._save(tx, known)
        return known

    async def _save(self, tx: Transaction, setup: PaymentSetup) -> None:
        wait = check_after(setup)
        await tx.payment_setups.save(setup, due=None if wait is None else self._wall.now() + wait)
