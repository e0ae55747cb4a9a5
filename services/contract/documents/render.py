# SPDX-License-Identifier: Apache-2.0
"""Renders documents. The template escapes every text. The PDF is made from the HTML; neither loads anything."""

import asyncio
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.contract.documents.view import InvoiceFormatter
from services.contract.domain.commands.invoices import InvoiceDetails
from services.contract.domain.errors.invoices import DocumentTooLarge, PdfUnavailable
from services.contract.domain.invoice_document import DOCUMENT_BYTES_MAX, DocumentFormat
from services.contract.domain.invoice_parties import BillingDetails

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class InvoiceDocuments:
    """Renders invoices, one at a time in a thread: a PDF of 3 pages takes 0.3 s, and other calls go on."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def render(
        self, details: InvoiceDetails, billing: BillingDetails, document_format: DocumentFormat
    ) -> bytes:
        """Return the document. Raises PdfUnavailable, DocumentTooLarge."""
        async with self._turn:
            content = await asyncio.to_thread(_render, details, billing, document_format)
        if len(content) > DOCUMENT_BYTES_MAX:
            raise DocumentTooLarge(invoice_id=details.invoice.invoice_id, size=str(len(content)))
        return content


def _render(details: InvoiceDetails, billing: BillingDetails, document_format: DocumentFormat) -> bytes:
    view = InvoiceFormatter(details, billing).view()
    html = _TEMPLATES.get_template("invoice.html").render(invoice=view)
    return html.encode() if document_format is DocumentFormat.HTML else _pdf(html)


def _pdf(html: str) -> bytes:
    try:
        # Imported at the first PDF: it takes half a second, and needs Pango, a library of the system.
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise PdfUnavailable(details=str(error).partition("\n")[0]) from error
    nothing = URLFetcher(allowed_protocols=())
    pdf: bytes = HTML(string=html, url_fetcher=nothing).write_pdf(pdf_variant="pdf/ua-1")
    return pdf
