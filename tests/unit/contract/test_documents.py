# SPDX-License-Identifier: Apache-2.0
import sys
from dataclasses import replace

import pytest

from services.contract.documents import InvoiceDocuments
from services.contract.domain.commands.invoices import InvoiceDetails
from services.contract.domain.errors.invoices import DocumentTooLarge, PdfUnavailable
from services.contract.domain.invoice import total_of
from services.contract.domain.invoice_document import DOCUMENT_BYTES_MAX, DocumentFormat
from services.contract.domain.invoice_parties import BillingDetails, Party
from tests.unit.contract.test_invoice_money import a_draft, a_line

ACME = BillingDetails(party=Party(name="Acme"))


def details(lines: int, description: str) -> InvoiceDetails:
    many = tuple(replace(a_line(1), description=description) for _ in range(lines))
    invoice = replace(a_draft(*many), total=total_of(many))
    return InvoiceDetails(invoice=invoice, payments=(), credit_notes=(), parties=None)


async def test_a_document_that_no_response_can_hold_is_refused() -> None:
    documents = InvoiceDocuments()
    one = len(await documents.render(details(1, ""), ACME, DocumentFormat.HTML))
    each = len(await documents.render(details(2, ""), ACME, DocumentFormat.HTML)) - one
    room = DOCUMENT_BYTES_MAX - one - 99 * each

    fitting = await documents.render(details(100, "x" * (room // 100)), ACME, DocumentFormat.HTML)

    assert len(fitting) <= DOCUMENT_BYTES_MAX
    with pytest.raises(DocumentTooLarge):
        await documents.render(details(100, "x" * (room // 100 + 1)), ACME, DocumentFormat.HTML)


async def test_without_pango_only_html_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutPango:
        """Stands in sys.meta_path for a system without the library: WeasyPrint's import fails as it does there."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [one for one in sys.modules if one.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [WithoutPango(), *sys.meta_path])
    documents = InvoiceDocuments()

    with pytest.raises(PdfUnavailable):
        await documents.render(details(1, "credits"), ACME, DocumentFormat.PDF)
    assert b"credits" in await documents.render(details(1, "credits"), ACME, DocumentFormat.HTML)
