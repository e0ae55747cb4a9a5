# SPDX-License-Identifier: Apache-2.0
"""ListInvoices, GetInvoice, GetInvoiceDocument, FinalizeInvoice, VoidInvoice, RecordInvoicePayment."""

from collections.abc import Sequence
from datetime import datetime

from meshkit.clock import Clock
from meshkit.errors import FieldViolation, InvalidFields
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.commands.invoices import (
    FinalizeInvoice,
    InvoiceDetails,
    InvoicePaid,
    InvoiceVoided,
    RecordInvoicePayment,
    VoidInvoice,
)
from services.contract.domain.events import events_of_invoice
from services.contract.domain.ids import AccountCreditEntryId, ContractId, InvoiceId
from services.contract.domain.invoice import Invoice, InvoiceLineKind, InvoiceStatus
from services.contract.domain.invoice_credits import AccountCreditCause, AccountCreditChange
from services.contract.domain.invoice_document import DocumentFormat, InvoiceDocument
from services.contract.domain.invoice_life import (
    ReportedPayment,
    refuse_credits_granted,
    refuse_not_issuable,
    regenerated_lines,
    voided,
)
from services.contract.domain.top_up import PaymentGate, TopUpStatus, payment_of
from services.contract.operations.billing.collecting import follow_change, refuse_while_taking
from services.contract.operations.billing.invoicing import new_invoice
from services.contract.operations.billing.issuing import give_numbers, issue, pay
from services.contract.operations.billing.publishing import publish
from services.contract.operations.billing.usage_drafts import fix_usage
from services.contract.operations.ports import Documents, UsageFollowing
from services.contract.store import PostgresStore, Transaction

UNNUMBERED_PER_TRANSACTION_MAX = 100


class Invoices:
    """Reads invoices, and changes them after billing and top-ups have made them."""

    def __init__(
        self, *, store: PostgresStore, documents: Documents, usage: UsageFollowing, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._documents = documents
        self._usage = usage
        self._clock = clock
        self._ids = ids

    async def get(self, invoice_id: InvoiceId) -> InvoiceDetails:
        """Return an invoice; a draft that follows usage is brought up to date first. Raises InvoiceNotFound."""
        async with self._store.transaction() as tx:
            details = await _details(tx, invoice_id)
            if not await _follows_usage(tx, details.invoice):
                return details
        await self._usage.refresh(details.invoice.contract_id)
        async with self._store.transaction() as tx:
            return await _details(tx, invoice_id)

    async def document(self, invoice_id: InvoiceId, document_format: DocumentFormat) -> InvoiceDocument:
        """Return an invoice as a document. Raises InvoiceNotFound, PdfUnavailable, DocumentTooLarge."""
        details = await self.get(invoice_id)
        async with self._store.transaction() as tx:
            billing = await tx.parties.billing_details_or_name(details.invoice.customer_id)
        return InvoiceDocument(
            name=f"invoice-{details.invoice.number or 'draft'}",
            document_format=document_format,
            content=await self._documents.render(details, billing, document_format),
        )

    async def list(self, customer: str, contract_id: ContractId | None, page: Page) -> Sequence[Invoice]:
        """Return a page by issue_time, then in order of creation, and one more if there is one.

        Raises CustomerNotFound.
        """
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(customer)).customer_id
            return await tx.invoices.listed(customer_id, contract_id, page)

    async def finalize(self, command: FinalizeInvoice) -> Invoice:
        """Issue a draft.

        Raises InvoiceNotFound, InvoiceAlreadyFinalized, InvoiceVoid, InvoiceZero, TopUpPending, PlanChangePending,
        CurrencyDiffers.
        """
        if (first := await self._store.find_response(command, Invoice)) is not None:
            return first
        async with self._store.transaction() as tx:
            asked = await tx.invoices.find(command.invoice_id)
            follows_usage = await _follows_usage(tx, asked)
        if follows_usage:
            await self._usage.refresh(asked.contract_id)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Invoice)) is not None:
                return first
            draft = await _lock_with_contract(tx, command.invoice_id)
            await tx.plan_changes.refuse_pending(draft.invoice_id)
            is_pending = await _is_of_pending_top_up(tx, draft)
            refuse_not_issuable(draft, is_of_pending_top_up=is_pending)
            await fix_usage(tx, draft)
            [invoice] = await issue(tx, [draft], at=self._clock.now(), ids=self._ids, taxes=command.taxes)
            await tx.responses.store(command, invoice)
        return invoice

    async def void(self, command: VoidInvoice) -> InvoiceVoided:
        """Cancel an invoice, and put its charges on a new draft if asked to.

        Raises InvoiceNotFound, InvoiceVoid, InvoiceZero, InvoiceAlreadyPaid, InvoiceHasPayments, InvoiceNotFinalized,
        TopUpPending, TopUpGranted, InvoiceCreditsGranted, PlanChangePending, PaymentUnderWay.
        """
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, InvoiceVoided)) is not None:
                return first
            invoice = await _lock_with_contract(tx, command.invoice_id)
            await tx.plan_changes.refuse_pending(invoice.invoice_id)
            is_pending = await _is_of_pending_top_up(tx, invoice)
            await refuse_while_taking(tx, invoice.invoice_id)
            at = self._clock.now()
            void = voided(invoice, reason=command.reason, is_of_pending_top_up=is_pending, at=at)
            contract = await tx.contracts.find(invoice.contract_id)
            if not command.regenerate:
                charged = await tx.invoices.charged_subscriptions(invoice.invoice_id)
                refuse_credits_granted(invoice, charged, contract.grant_schedules)
            await fix_usage(tx, invoice)
            await tx.invoices.save(void)
            await publish(tx, events_of_invoice(invoice, void, at=at))
            await follow_change(tx, void, at=at)
            await self._return_credits(tx, invoice, is_regenerated=command.regenerate, at=at)
            regenerated = None
            if command.regenerate:
                lines = regenerated_lines(invoice)
                regenerated = new_invoice(contract, lines, issue_time=invoice.issue_time, ids=self._ids)
                await tx.invoices.insert(regenerated)
                await tx.invoices.save_origin(regenerated.invoice_id, invoice.invoice_id)
                await tx.usage.copy(invoice.invoice_id, regenerated.invoice_id)
            result = InvoiceVoided(invoice=void, regenerated=regenerated)
            await tx.responses.store(command, result)
        return result

    async def _return_credits(
        self, tx: Transaction, invoice: Invoice, *, is_regenerated: bool, at: datetime
    ) -> None:
        """Return to account credit what a void invoice used of it, and of what came back of a plan before."""
        kinds = {InvoiceLineKind.ACCOUNT_CREDIT}
        if not is_regenerated:  # the new draft has the line otherwise
            kinds.add(InvoiceLineKind.PLAN_CREDIT)
        for line in invoice.lines:
            if line.kind in kinds:
                returned = AccountCreditChange(
                    account_credit_entry_id=AccountCreditEntryId(self._ids.new("ace")),
                    customer_id=invoice.customer_id,
                    amount=-line.total,
                    cause=AccountCreditCause.RETURNED,
                    document_id=invoice.invoice_id,
                    create_time=at,
                )
                await tx.account_credits.change(returned)

    async def record_payment(self, command: RecordInvoicePayment) -> InvoicePaid:
        """Record a payment that was made elsewhere.

        Raises InvoiceNotFound, InvoiceNotFinalized, InvoiceVoid, InvoiceAlreadyPaid, CurrencyDiffers,
        PaymentExceedsDue, PaymentAlreadyRecorded, PaymentUnderWay.
        """
        at = self._clock.now()
        if command.payment_time is not None and command.payment_time > at:
            raise InvalidFields([FieldViolation("payment_time", "must not be in the future")])
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, InvoicePaid)) is not None:
                return first
            reported = ReportedPayment(
                amount=command.amount,
                reference=command.reference,
                payment_time=command.payment_time or at,
            )
            invoice = await tx.invoices.lock(command.invoice_id)
            await refuse_while_taking(tx, invoice.invoice_id)
            invoice, payment = await pay(tx, invoice, reported, at=at, ids=self._ids)
            paid = InvoicePaid(invoice=invoice, payment=payment)
            await tx.responses.store(command, paid)
        return paid

    async def number_earlier(self) -> int:
        """Give numbers to invoices that a previous version issued without, a limited number. Returns how many.

        The invoice of a top-up that was reported as paid becomes PAID. Source:
        services/contract/README.md, "Invoices".
        """
        at = self._clock.now()
        async with self._store.transaction() as tx:
            drafts = await tx.invoices.lock_unnumbered(UNNUMBERED_PER_TRANSACTION_MAX)
            for draft in drafts:
                await tx.due_records.numbered(draft)
            for invoice in await give_numbers(tx, drafts, at=at):
                top_up = await tx.top_ups.of_invoice(invoice.invoice_id)
                if top_up is None or not invoice.due:
                    continue
                if top_up.payment_gate is PaymentGate.EXTERNAL and top_up.status is TopUpStatus.PAID:
                    await pay(tx, invoice, payment_of(top_up, invoice.due), at=at, ids=self._ids)
        return len(drafts)


async def _lock_with_contract(tx: Transaction, invoice_id: InvoiceId) -> Invoice:
    """Return an invoice locked, after its contract: taxes are summed over all invoices of the contract."""
    await tx.contracts.lock((await tx.invoices.find(invoice_id)).contract_id)
    return await tx.invoices.lock(invoice_id)


async def _follows_usage(tx: Transaction, invoice: Invoice) -> bool:
    """Return whether an invoice is the draft that follows its contract's usage."""
    if invoice.status is not InvoiceStatus.DRAFT:
        return False
    progress = await tx.usage.progress(invoice.contract_id)
    return progress is not None and progress.invoice_id == invoice.invoice_id


async def _details(tx: Transaction, invoice_id: InvoiceId) -> InvoiceDetails:
    invoice = await tx.invoices.find(invoice_id)
    return InvoiceDetails(
        invoice=invoice,
        payments=tuple(await tx.invoices.payments(invoice_id)),
        credit_notes=tuple(await tx.credit_notes.of_invoice(invoice_id)),
        parties=await tx.parties.of_invoice(invoice_id),
        usage=await tx.usage.of_invoice(invoice_id),
        refunds=tuple(await tx.invoice_refunds.of_invoice(invoice_id)),
    )


async def _is_of_pending_top_up(tx: Transaction, invoice: Invoice) -> bool:
    top_up = await tx.top_ups.of_invoice(invoice.invoice_id)
    return top_up is not None and top_up.status is TopUpStatus.PENDING_PAYMENT
