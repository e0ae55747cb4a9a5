# SPDX-License-Identifier: Apache-2.0
"""Updates from Alert: thresholds to watch."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.copies import (
    WatchUpdate,
)
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.crossings.watch import LOW, OF_SPEND, Watch, WatchKind
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.subjects import CUSTOMER, of_product
from services.ledger.wire.copies.values import customer_id_from_wire, version_from_wire

_DAYS_MAX: Final = 366
_WATCH_KINDS: Final[Mapping[int, WatchKind]] = {
    pb.WATCH_KIND_LOW_BALANCE: WatchKind.LOW_BALANCE,
    pb.WATCH_KIND_SPEND: WatchKind.SPEND,
    pb.WATCH_KIND_LOW_PERCENTAGE: WatchKind.LOW_PERCENTAGE,
    pb.WATCH_KIND_SHORTFALL: WatchKind.SHORTFALL,
    pb.WATCH_KIND_OVERAGE: WatchKind.OVERAGE,
    pb.WATCH_KIND_GRANT_EXPIRING: WatchKind.GRANT_EXPIRING,
    pb.WATCH_KIND_LOW_SEAT_BALANCE: WatchKind.LOW_SEAT_BALANCE,
    pb.WATCH_KIND_SPEND_IN_DAY: WatchKind.SPEND_IN_DAY,
    pb.WATCH_KIND_SPEND_IN_WEEK: WatchKind.SPEND_IN_WEEK,
    pb.WATCH_KIND_SPEND_IN_MONTH: WatchKind.SPEND_IN_MONTH,
}


def watch_from_wire(request: pb.WatchThresholdRequest) -> WatchUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    kind = fields.choice("watch_kind", request.watch_kind, _WATCH_KINDS)
    group_key, group_value = _subject(fields, request, kind)
    threshold = Credits(fields.micros("threshold_micros", request.threshold_micros))
    update = WatchUpdate(
        watch=Watch(
            alert_id=fields.text("alert_id", request.alert_id),
            version=version_from_wire(fields, request.version),
            kind=kind,
            customer_id=customer_id_from_wire(fields, request.customer_id) if request.customer_id else None,
            credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
            threshold=threshold,
            rearm=_rearm(fields, request, kind, threshold),
            group_key=group_key,
            group_value=group_value,
            within=_within(fields, request, kind),
        ),
        is_active=request.is_active,
    )
    fields.check()
    return update


def _subject(fields: Fields, request: pb.WatchThresholdRequest, kind: WatchKind) -> GroupValue:
    is_seat = kind is WatchKind.LOW_SEAT_BALANCE
    group_key = fields.text("group_key", request.group_key, required=is_seat)
    group_value = fields.text("group_value", request.group_value, required=False)
    product_id = fields.text("product_id", request.product_id, required=False)
    if group_key or kind not in OF_SPEND:
        if product_id:
            fields.add("product_id", "is for spends without a group_key only; leave it out")
        return group_key, group_value
    if group_value:
        fields.add("group_value", "needs a group_key")
    return of_product(ProductId(product_id)) if product_id else CUSTOMER


def _within(fields: Fields, request: pb.WatchThresholdRequest, kind: WatchKind) -> timedelta:
    if kind is not WatchKind.GRANT_EXPIRING:
        return timedelta(0)
    return timedelta(days=fields.count("within_days", request.within_days, minimum=1, maximum=_DAYS_MAX))


def _rearm(fields: Fields, request: pb.WatchThresholdRequest, kind: WatchKind, threshold: Credits) -> Credits:
    """Return the rearm level; an Alert that sends none ends alarms at the threshold."""
    if not request.HasField("rearm_micros"):
        return threshold
    rearm = Credits(fields.micros("rearm_micros", request.rearm_micros))
    is_low = kind in LOW
    if rearm < threshold if is_low else rearm > threshold:
        fields.add("rearm_micros", f"must be at {'least' if is_low else 'most'} threshold_micros")
    return rearm
