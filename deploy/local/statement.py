# SPDX-License-Identifier: Apache-2.0
"""Step 11 of the story: the usage of a month, as the customer's statement shows it."""

from collections import defaultdict

from deploy.local.figures import Figures, decimal
from deploy.local.seatsco import Stubs
from purser.contract.v1 import contract_pb2 as contract


class Statement:
    """Shows the statement of Acme's usage that was closed last."""

    def __init__(self, stubs: Stubs, figures: Figures) -> None:
        self._stubs = stubs
        self._figures = figures

    async def show(self) -> None:
        """Print who used what and which credits paid, and check July's."""
        found = await self._last_statement()
        table = self._figures.table("product", "user", "credits", "paid by")
        paid: defaultdict[str, int] = defaultdict(int)
        for line in found.usage.lines:
            payments = []
            for one in line.paid_by:
                source = contract.CreditSource.Name(one.credit_source).removeprefix("CREDIT_SOURCE_")
                payments.append(f"{source} {decimal(one.credits_micros)}")
                paid[source] += one.credits_micros
            credits = decimal(line.credits_micros)
            table.add_row("  " + line.product_name, line.group_value, credits, ", ".join(payments))
        self._figures.show(table)
        status = contract.InvoiceStatus.Name(found.invoice.status)
        self._figures.figure("nothing to pay, so it is a", status, "INVOICE_STATUS_STATEMENT")
        self._figures.figure("July's usage paid by included credits", decimal(paid["INCLUDED"]), "493.548387")
        self._figures.figure("July's usage paid by the top-up", decimal(paid["TOP_UP"]), "518.451613")

    async def _last_statement(self) -> contract.GetInvoiceResponse:
        listed = await self._stubs.contract.ListInvoices(contract.ListInvoicesRequest(customer="acme"))
        statements = [one for one in listed.invoices if one.status == contract.INVOICE_STATUS_STATEMENT]
        return await self._stubs.contract.GetInvoice(
            contract.GetInvoiceRequest(invoice_id=statements[-1].invoice_id)
        )
