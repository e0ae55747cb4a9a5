# SPDX-License-Identifier: Apache-2.0
"""The words on documents, by language. Other languages get English words, and their own number formats."""

from collections.abc import Mapping
from typing import Final

ENGLISH: Final[Mapping[str, str]] = {
    "invoice": "Invoice",
    "draft": "Draft, not an invoice",
    "void": "Void",
    "statement": "Statement, nothing to pay",
    "paid": "Paid",
    "open": "Open",
    "number": "Number",
    "invoice_date": "Invoice date",
    "service_date": "Service date",
    "seller": "From",
    "buyer": "To",
    "description": "Description",
    "quantity": "Quantity",
    "unit_price": "Unit price",
    "share": "Share",
    "exact": "Exact",
    "carried": "Carried",
    "amount": "Amount",
    "subtotal": "Subtotal",
    "total": "Total",
    "payment": "Payment",
    "credit_note": "Credit note",
    "of_which_tax": "of which tax",
    "kept": "as account credit",
    "due": "Amount due",
    "period": "{start} to {end} (UTC, end not included)",
    "explained": "Amount = Exact + Carried, rounded; Exact = Quantity × Unit price × Share. All amounts in {currency}.",
}
GERMAN: Final[Mapping[str, str]] = {
    "invoice": "Rechnung",
    "draft": "Entwurf, keine Rechnung",
    "void": "Storniert",
    "statement": "Aufstellung, nichts zu zahlen",
    "paid": "Bezahlt",
    "open": "Offen",
    "number": "Nummer",
    "invoice_date": "Rechnungsdatum",
    "service_date": "Leistungsdatum",
    "seller": "Von",
    "buyer": "An",
    "description": "Beschreibung",
    "quantity": "Menge",
    "unit_price": "Einzelpreis",
    "share": "Anteil",
    "exact": "Genau",
    "carried": "Übertrag",
    "amount": "Betrag",
    "subtotal": "Zwischensumme",
    "total": "Gesamtbetrag",
    "payment": "Zahlung",
    "credit_note": "Gutschrift",
    "of_which_tax": "davon Steuer",
    "kept": "als Guthaben",
    "due": "Zu zahlen",
    "period": "{start} bis {end} (UTC, Ende nicht enthalten)",
    "explained": "Betrag = Genau + Übertrag, gerundet; Genau = Menge × Einzelpreis × Anteil. Beträge in {currency}.",
}
_BY_LANGUAGE: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "de": GERMAN}


def labels_of(language: str) -> Mapping[str, str]:
    """Return the words for a language tag such as "de-AT"."""
    return _BY_LANGUAGE.get(language.partition("-")[0], ENGLISH)


def has_labels(language: str) -> bool:
    return language.partition("-")[0] in _BY_LANGUAGE
