# SPDX-License-Identifier: Apache-2.0
"""Crossings on the wire."""

from typing import Final

from meshkit.quantity import INT64_MAX, Credits
from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.alert.v1 import alert_peer_pb2 as pb
from services.alert.domain.alert import AlertId, CustomerId
from services.alert.domain.commands import ObserveCrossing
from services.alert.domain.status import Crossing

GROUP_VALUE_LENGTH_MAX: Final = 500


def observe_from_wire(request: pb.ObserveCrossingRequest) -> ObserveCrossing:
    fields = Fields()
    group_value = fields.text(
        "group_value", request.group_value, required=False, max_length=GROUP_VALUE_LENGTH_MAX
    )
    command = ObserveCrossing(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ObserveCrossing", request),
        crossing=Crossing(
            alert_id=AlertId(fields.text("alert_id", request.alert_id)),
            customer_id=CustomerId(fields.text("customer_id", request.customer_id)),
            group_value=group_value,
            in_alarm=request.in_alarm,
            value=Credits(request.value_micros),
            sequence=fields.count("sequence", request.sequence, minimum=1, maximum=INT64_MAX),
            observe_time=fields.time("observe_time", request.observe_time, request.HasField("observe_time")),
        ),
    )
    fields.check()
    return command
