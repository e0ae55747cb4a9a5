# SPDX-License-Identifier: Apache-2.0
"""The kinds of things in a catalog file: their sections, rpcs, references, and what a field means that is left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from meshkit.quantity import MICROS
from purser.catalog.v1 import catalog_pb2 as catalog
from purser_cli.rpc.descriptors import fields_of
from purser_cli.rpc.names import rpc_named

PACK_PRIORITY = 100
# Keys of a file that name another thing: the section that has it, and the field that has its id.
CREDIT_TYPES, METRICS, PRODUCTS, RATE_CARDS, PACKS = (
    "credit_types",
    "metrics",
    "products",
    "rate_cards",
    "packs",
)
REFERENCES = {
    "credit_type": (CREDIT_TYPES, "credit_type_id"),
    "metric": (METRICS, "billable_metric_id"),
    "product": (PRODUCTS, "product_id"),
    "currency": (CREDIT_TYPES, "fiat_credit_type_id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One section of a file. word: what one of its things is called. create, list, archive: rpcs; empty: there is none.

    defaults: fills in what a request leaves out, so that it can be compared with what exists.
    """

    section: str
    word: str
    id_field: str
    create: str
    list: str
    defaults: Callable[[Any], None]
    archive: str = ""

    def request(self) -> Message:
        """Return an empty request that creates one."""
        return GetMessageClass(rpc_named(self.create).method.input_type)()

    def request_like(self, existing: Message) -> Message:
        """Return the request that would create what exists, with nothing left out."""
        request = self.request()
        copy_fields(existing, request)
        self.defaults(request)
        return request

    def id_of(self, existing: Message) -> str:
        """Return the id of what exists."""
        return str(getattr(existing, self.id_field))


def copy_fields(source: Message, into: Message) -> None:
    """Copy the fields that both messages have."""
    names = {field.name for field in fields_of(into)}
    for field, value in source.ListFields():
        if field.name not in names:
            continue
        if field.is_repeated:
            getattr(into, field.name).MergeFrom(value)
        elif field.message_type is not None:
            getattr(into, field.name).CopyFrom(value)
        else:
            setattr(into, field.name, value)


def rate_defaults(terms: Any) -> None:
    """Fill in what the terms of a rate leave out."""
    terms.rate_type = terms.rate_type or catalog.RATE_TYPE_FLAT
    if not terms.tiers:
        terms.per_micros = terms.per_micros or MICROS
    for tier in terms.tiers:
        tier.per_micros = tier.per_micros or MICROS


def _none(_: Any) -> None:
    pass


def _metric_defaults(request: Any) -> None:
    request.aggregated_property = request.aggregated_property or request.sum_property
    request.sum_property = ""


def _product_defaults(request: Any) -> None:
    for dimension in request.pricing_dimensions:
        dimension.property = dimension.property or dimension.key


def _card_defaults(request: Any) -> None:
    request.conversions.sort(key=lambda one: one.credit_type_id)


def _pack_defaults(request: Any) -> None:
    request.priority = request.priority or PACK_PRIORITY


# In the order in which they refer to each other.
KINDS: Mapping[str, Kind] = {
    kind.section: kind
    for kind in (
        Kind(
            section=CREDIT_TYPES,
            word="credit type",
            id_field="credit_type_id",
            create="CreateCreditType",
            list="ListCreditTypes",
            defaults=_none,
        ),
        Kind(
            section=METRICS,
            word="metric",
            id_field="billable_metric_id",
            create="CreateBillableMetric",
            list="ListBillableMetrics",
            archive="ArchiveBillableMetric",
            defaults=_metric_defaults,
        ),
        Kind(
            section=PRODUCTS,
            word="product",
            id_field="product_id",
            create="CreateProduct",
            list="ListProducts",
            archive="ArchiveProduct",
            defaults=_product_defaults,
        ),
        Kind(
            section=RATE_CARDS,
            word="rate card",
            id_field="rate_card_id",
            create="CreateRateCard",
            list="ListRateCards",
            defaults=_card_defaults,
        ),
        Kind(
            section=PACKS,
            word="pack",
            id_field="top_up_pack_id",
            create="CreateTopUpPack",
            list="ListTopUpPacks",
            defaults=_pack_defaults,
        ),
    )
}
