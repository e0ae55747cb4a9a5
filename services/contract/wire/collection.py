# SPDX-License-Identifier: Apache-2.0
"""How invoices are collected, on the wire."""

from typing import Final

from meshkit.rpc.fields import Fields
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.collection import (
    RETRIES_MAX,
    RETRY_DAY_MAX,
    RETRY_DAYS_DEFAULT,
    AfterLastRetry,
    CollectionMethod,
    InvoiceCollection,
)
from services.contract.wire.values import by_number, default

_METHODS: Final = {
    CollectionMethod.SEND: pb.COLLECTION_METHOD_SEND,
    CollectionMethod.CHARGE_AUTOMATICALLY: pb.COLLECTION_METHOD_CHARGE_AUTOMATICALLY,
}
_AFTER_LAST_RETRY: Final = {
    AfterLastRetry.NOTHING: pb.AFTER_LAST_RETRY_NOTHING,
    AfterLastRetry.SUSPEND: pb.AFTER_LAST_RETRY_SUSPEND,
}


def collection_from_wire(fields: Fields, collection: pb.InvoiceCollection) -> InvoiceCollection:
    """Return how invoices are collected; SEND if nothing was said."""
    path = "invoice_collection"
    days = tuple(collection.retry_days)
    if len(days) > RETRIES_MAX:
        fields.add(f"{path}.retry_days", f"must have at most {RETRIES_MAX} elements")
        days = ()
    for position, day in enumerate(days):
        fields.count(f"{path}.retry_days[{position}]", day, minimum=1, maximum=RETRY_DAY_MAX)
        if position and day <= days[position - 1]:
            fields.add(f"{path}.retry_days[{position}]", "must be later than the one before")
    return InvoiceCollection(
        method=default(fields, f"{path}.method", collection.method, by_number(_METHODS)),
        retry_days=days or RETRY_DAYS_DEFAULT,
        after_last_retry=default(
            fields, f"{path}.after_last_retry", collection.after_last_retry, by_number(_AFTER_LAST_RETRY)
        ),
        suspend_in_debt=collection.suspend_in_debt,
    )


def collection_to_wire(collection: InvoiceCollection) -> pb.InvoiceCollection:
    return pb.InvoiceCollection(
        method=_METHODS[collection.method],
        retry_days=collection.retry_days,
        after_last_retry=_AFTER_LAST_RETRY[collection.after_last_retry],
        suspend_in_debt=collection.suspend_in_debt,
    )
