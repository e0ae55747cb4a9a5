# SPDX-License-Identifier: Apache-2.0
"""Sellers, buyers and taxes on the wire."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import available_timezones

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.customers import BillingDetailsSet, SetBillingDetails, SetSellerDetails
from services.contract.domain.invoice_parties import (
    ADDRESS_LINES_MAX,
    LANGUAGE_DEFAULT,
    TAX_IDS_MAX,
    UTC_NAME,
    BillingDetails,
    Party,
)
from services.contract.domain.invoice_taxes import RATE_MICROS_MAX, TAXES_MAX, TaxTerms
from services.contract.wire.values import each, money, money_to_wire

LANGUAGE_PATTERN: Final = r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?"


def set_seller_from_wire(request: pb.SetSellerDetailsRequest) -> SetSellerDetails:
    fields = Fields()
    command = SetSellerDetails(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetSellerDetails", request),
        seller=_party(fields, "seller", request.seller),
    )
    fields.check()
    return command


def set_billing_from_wire(request: pb.SetBillingDetailsRequest) -> SetBillingDetails:
    fields = Fields()
    details = request.billing_details
    command = SetBillingDetails(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetBillingDetails", request),
        customer=fields.text("customer", request.customer),
        billing_details=BillingDetails(
            party=_party(fields, "billing_details.party", details.party),
            time_zone=_time_zone(fields, "billing_details.time_zone", details.time_zone),
            language=fields.text(
                "billing_details.language", details.language, required=False, pattern=LANGUAGE_PATTERN
            )
            or LANGUAGE_DEFAULT,
            taxes=taxes_from_wire(fields, "billing_details.taxes", details.taxes, are_by_rate=True),
        ),
    )
    fields.check()
    return command


def taxes_from_wire(
    fields: Fields, field: str, taxes: Sequence[pb.TaxTerms], *, are_by_rate: bool = False
) -> tuple[TaxTerms, ...]:
    """Return taxes, at most TAXES_MAX. are_by_rate: refuse amounts."""
    read = each(fields, field, taxes, TAXES_MAX, _tax)
    for position, tax in enumerate(read):
        if tax.description in [other.description for other in read[:position]]:
            fields.add(f"{field}[{position}]", "is a duplicate")
        if are_by_rate and tax.amount is not None:
            fields.add(f"{field}[{position}].amount", "is for one invoice; give a customer's tax by rate")
    return read


def set_seller_to_wire(seller: Party) -> pb.SetSellerDetailsResponse:
    return pb.SetSellerDetailsResponse(seller=party_to_wire(seller))


def get_seller_to_wire(seller: Party | None) -> pb.GetSellerDetailsResponse:
    return pb.GetSellerDetailsResponse(seller=None if seller is None else party_to_wire(seller))


def set_billing_to_wire(result: BillingDetailsSet) -> pb.SetBillingDetailsResponse:
    return pb.SetBillingDetailsResponse(billing_details=billing_details_to_wire(result.billing_details))


def billing_details_to_wire(details: BillingDetails) -> pb.BillingDetails:
    return pb.BillingDetails(
        party=party_to_wire(details.party),
        time_zone=details.time_zone,
        language=details.language,
        taxes=[_tax_to_wire(tax) for tax in details.taxes],
    )


def party_to_wire(party: Party) -> pb.Party:
    return pb.Party(name=party.name, address_lines=party.address_lines, tax_ids=party.tax_ids)


def _party(fields: Fields, path: str, party: pb.Party) -> Party:
    return Party(
        name=fields.text(f"{path}.name", party.name),
        address_lines=each(
            fields, f"{path}.address_lines", party.address_lines, ADDRESS_LINES_MAX, Fields.text
        ),
        tax_ids=each(fields, f"{path}.tax_ids", party.tax_ids, TAX_IDS_MAX, Fields.text),
    )


def _time_zone(fields: Fields, field: str, name: str) -> str:
    if name and name not in available_timezones():
        fields.add(field, "must be an IANA time zone, such as Europe/Vienna")
    return name or UTC_NAME


def _tax(fields: Fields, path: str, tax: pb.TaxTerms) -> TaxTerms:
    rate_micros = amount = None
    match tax.WhichOneof("charge"):
        case "rate_micros":
            rate_micros = fields.micros(f"{path}.rate_micros", tax.rate_micros, maximum=RATE_MICROS_MAX)
        case "amount":
            amount = money(fields, f"{path}.amount", tax.amount, has=True, minimum=0)
        case _:
            fields.add(f"{path}.charge", "is required: rate_micros or amount")
    return TaxTerms(
        name=fields.text(f"{path}.name", tax.name, max_length=100), rate_micros=rate_micros, amount=amount
    )


def _tax_to_wire(tax: TaxTerms) -> pb.TaxTerms:
    return pb.TaxTerms(
        name=tax.name,
        rate_micros=tax.rate_micros,
        amount=None if tax.amount is None else money_to_wire(tax.amount),
    )
