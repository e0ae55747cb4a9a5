# SPDX-License-Identifier: Apache-2.0
"""Updates from Contract: the level at which a pool is topped up."""

from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.copies import WatchUpdate
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.crossings.watch import Watch, WatchKind
from services.ledger.wire.copies.values import customer_id_from_wire, version_from_wire


def level_from_wire(request: pb.SetTopUpLevelRequest) -> WatchUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    threshold = Credits(fields.micros("threshold_micros", request.threshold_micros))
    update = WatchUpdate(
        watch=Watch(
            alert_id=fields.text("auto_top_up_id", request.auto_top_up_id),
            version=version_from_wire(fields, request.version),
            kind=WatchKind.TOP_UP_LEVEL,
            customer_id=customer_id_from_wire(fields, request.customer_id),
            credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
            threshold=threshold,
            rearm=threshold,
            group_key="",
            group_value="",
        ),
        is_active=request.is_active,
    )
    fields.check()
    return update
