# SPDX-License-Identifier: Apache-2.0
"""Top-up packs on the wire."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from meshkit.currency import is_currency
from meshkit.page import Page
from meshkit.quantity import Credits, Money
from meshkit.rpc.fields import Fields, span, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.catalog.v1 import catalog_pb2 as pb
from purser.type.v1 import money_pb2
from services.catalog.domain.commands import CreateTopUpPack
from services.catalog.domain.credit_type import USD, CreditTypeId
from services.catalog.domain.product import ProductId
from services.catalog.domain.top_up_pack import (
    LIFETIME_MAX,
    LIFETIME_MIN,
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    TopUpPack,
    TopUpPackId,
)

_LIST: Final = {"list": "top_up_packs"}


def create_from_wire(request: pb.CreateTopUpPackRequest) -> CreateTopUpPack:
    fields = Fields()
    command = CreateTopUpPack(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateTopUpPack", request),
        name=fields.text("name", request.name),
        product_id=ProductId(fields.text("product_id", request.product_id)),
        credit_type_id=_custom_credit_type_id(fields, request.credit_type_id),
        amount=Credits(fields.micros("amount_micros", request.amount_micros, minimum=1)),
        price=_price(fields, request),
        priority=fields.count(
            "priority", request.priority or PRIORITY_DEFAULT, minimum=1, maximum=PRIORITY_MAX
        ),
        lifetime=_lifetime(fields, request),
    )
    fields.check()
    return command


def create_to_wire(pack: TopUpPack) -> pb.CreateTopUpPackResponse:
    return pb.CreateTopUpPackResponse(top_up_pack=top_up_pack_to_wire(pack))


def get_from_wire(request: pb.GetTopUpPackRequest) -> TopUpPackId:
    fields = Fields()
    top_up_pack_id = TopUpPackId(fields.text("top_up_pack_id", request.top_up_pack_id))
    fields.check()
    return top_up_pack_id


def get_to_wire(pack: TopUpPack) -> pb.GetTopUpPackResponse:
    return pb.GetTopUpPackResponse(top_up_pack=top_up_pack_to_wire(pack))


def list_from_wire(request: pb.ListTopUpPacksRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _LIST)
    fields.check()
    return page


def list_to_wire(rows: Sequence[TopUpPack], page: Page) -> pb.ListTopUpPacksResponse:
    shown, token = page_to_wire(rows, page, _LIST, lambda row: (row.top_up_pack_id,), top_up_pack_to_wire)
    return pb.ListTopUpPacksResponse(top_up_packs=shown, next_page_token=token)


def top_up_pack_to_wire(pack: TopUpPack) -> pb.TopUpPack:
    return pb.TopUpPack(
        top_up_pack_id=pack.top_up_pack_id,
        name=pack.name,
        product_id=pack.product_id,
        credit_type_id=pack.credit_type_id,
        amount_micros=pack.amount.micros,
        price=money_pb2.Money(currency_code=pack.price.currency_code, micros=pack.price.micros),
        priority=pack.priority,
        lifetime=None if pack.lifetime is None else span(pack.lifetime),
        create_time=timestamp(pack.create_time),
    )


def _custom_credit_type_id(fields: Fields, asked: str) -> CreditTypeId:
    if is_currency(asked):
        fields.add("credit_type_id", f"must be a custom credit type, not {asked!r}")
    return CreditTypeId(fields.text("credit_type_id", asked))


def _price(fields: Fields, request: pb.CreateTopUpPackRequest) -> Money:
    if request.HasField("price"):
        if not is_currency(request.price.currency_code):
            fields.add("price.currency_code", "must be the ISO 4217 code of a currency")
        return Money(request.price.currency_code, fields.micros("price.micros", request.price.micros))
    fields.add("price", "is required; a free pack has a price of 0 micros")
    return Money.zero(USD)


def _lifetime(fields: Fields, request: pb.CreateTopUpPackRequest) -> timedelta | None:
    if request.HasField("lifetime"):
        return fields.duration(
            "lifetime",
            request.lifetime,
            True,
            default=LIFETIME_MIN,
            minimum=LIFETIME_MIN,
            maximum=LIFETIME_MAX,
        )
    return None
