# SPDX-License-Identifier: Apache-2.0
"""Rate cards on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.currency import is_currency
from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.commands import CreateRateCard, ResendRateCard
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.rate_card import CONVERSIONS_MAX, CreditConversion, RateCard, RateCardId

_LIST: Final = {"list": "rate_cards"}


def create_from_wire(request: pb.CreateRateCardRequest) -> CreateRateCard:
    fields = Fields()
    command = CreateRateCard(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateRateCard", request),
        name=fields.text("name", request.name),
        fiat_credit_type_id=_fiat(fields, request.fiat_credit_type_id),
        conversions=_conversions(fields, request.conversions),
    )
    fields.check()
    return command


def create_to_wire(card: RateCard) -> pb.CreateRateCardResponse:
    return pb.CreateRateCardResponse(rate_card=rate_card_to_wire(card))


def get_from_wire(request: pb.GetRateCardRequest) -> RateCardId:
    fields = Fields()
    rate_card_id = RateCardId(fields.text("rate_card_id", request.rate_card_id))
    fields.check()
    return rate_card_id


def get_to_wire(card: RateCard) -> pb.GetRateCardResponse:
    return pb.GetRateCardResponse(rate_card=rate_card_to_wire(card))


def resend_from_wire(request: pb.ResendRateCardRequest) -> ResendRateCard:
    fields = Fields()
    command = ResendRateCard(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ResendRateCard", request),
        rate_card_id=RateCardId(fields.text("rate_card_id", request.rate_card_id)),
    )
    fields.check()
    return command


def resend_to_wire(card: RateCard) -> pb.ResendRateCardResponse:
    return pb.ResendRateCardResponse(rate_card=rate_card_to_wire(card))


def list_from_wire(request: pb.ListRateCardsRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _LIST)
    fields.check()
    return page


def list_to_wire(rows: Sequence[RateCard], page: Page) -> pb.ListRateCardsResponse:
    shown, token = page_to_wire(rows, page, _LIST, lambda row: (row.rate_card_id,), rate_card_to_wire)
    return pb.ListRateCardsResponse(rate_cards=shown, next_page_token=token)


def rate_card_to_wire(card: RateCard) -> pb.RateCard:
    return pb.RateCard(
        rate_card_id=card.rate_card_id,
        name=card.name,
        fiat_credit_type_id=card.fiat_credit_type_id,
        conversions=[
            pb.CreditConversion(
                credit_type_id=conversion.credit_type_id,
                fiat_per_credit_micros=conversion.fiat_per_credit_micros,
            )
            for conversion in card.conversions
        ],
        version=card.version,
        create_time=timestamp(card.create_time),
    )


def _fiat(fields: Fields, asked: str) -> CreditTypeId:
    fields.text("fiat_credit_type_id", asked)
    if asked and not is_currency(asked):
        fields.add("fiat_credit_type_id", "must be the ISO 4217 code of a currency")
    return CreditTypeId(asked)


def _conversions(fields: Fields, asked: Sequence[pb.CreditConversion]) -> tuple[CreditConversion, ...]:
    if len(asked) > CONVERSIONS_MAX:
        fields.add("conversions", f"must have at most {CONVERSIONS_MAX} elements, has {len(asked)}")
        return ()
    seen: set[str] = set()
    return tuple(_conversion(fields, f"conversions[{n}]", one, seen) for n, one in enumerate(asked))


def _conversion(fields: Fields, path: str, asked: pb.CreditConversion, seen: set[str]) -> CreditConversion:
    credit_type_id = fields.text(f"{path}.credit_type_id", asked.credit_type_id)
    if is_currency(credit_type_id):
        fields.add(f"{path}.credit_type_id", "must be a custom credit type; money needs no conversion")
    elif credit_type_id and credit_type_id in seen:
        fields.add(f"{path}.credit_type_id", "has two conversions")
    seen.add(credit_type_id)
    return CreditConversion(
        credit_type_id=CreditTypeId(credit_type_id),
        fiat_per_credit_micros=fields.micros(
            f"{path}.fiat_per_credit_micros", asked.fiat_per_credit_micros, minimum=1
        ),
    )
