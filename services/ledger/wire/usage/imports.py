# SPDX-License-Identifier: Apache-2.0
"""ImportUsage on the wire."""

from purser.ledger.v1 import usage_pb2 as pb
from services.ledger.domain.usage.event import EventStatus
from services.ledger.domain.usage.tally import Tally
from services.ledger.wire.usage.events import result_to_wire


def tally_to_wire(tally: Tally) -> pb.ImportUsageResponse:
    of = tally.by_status
    return pb.ImportUsageResponse(
        event_count=tally.event_count,
        accepted_count=of.get(EventStatus.ACCEPTED),
        no_match_count=of.get(EventStatus.NO_MATCH),
        no_contract_count=of.get(EventStatus.NO_CONTRACT),
        unattached_count=of.get(EventStatus.UNATTACHED),
        rejected_count=of.get(EventStatus.REJECTED),
        duplicate_count=tally.duplicate_count,
        problems=[
            pb.ImportProblem(event_index=one.event_index, result=result_to_wire(one.result))
            for one in tally.problems
        ],
    )
