# SPDX-License-Identifier: Apache-2.0
"""Documents for people: an invoice as HTML with a print style, and as PDF. Presentation only: it decides no rule."""

from services.contract.documents.render import InvoiceDocuments

__all__ = ["InvoiceDocuments"]
