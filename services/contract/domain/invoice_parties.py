# SPDX-License-Identifier: Apache-2.0
"""Who sells and who buys, as invoices say it. Source: services/contract/README.md, "Parties and taxes"."""

from dataclasses import dataclass

from services.contract.domain.invoice_taxes import TaxTerms

ADDRESS_LINES_MAX = 8
TAX_IDS_MAX = 5
UTC_NAME = "UTC"
LANGUAGE_DEFAULT = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A seller or a buyer."""

    name: str
    address_lines: tuple[str, ...] = ()
    tax_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDetails:
    """How a customer is invoiced. time_zone (IANA), language (BCP 47): of documents. taxes: by rate."""

    party: Party
    time_zone: str = UTC_NAME
    language: str = LANGUAGE_DEFAULT
    taxes: tuple[TaxTerms, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceParties:
    """The details copied onto an invoice when it is issued. seller None: the vendor's were not set."""

    seller: Party | None
    buyer: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTerms:
    """What an invoice is issued with. taxes: the customer's. has_account_credit: any, in the invoice's currency."""

    parties: InvoiceParties
    taxes: tuple[TaxTerms, ...]
    has_account_credit: bool
