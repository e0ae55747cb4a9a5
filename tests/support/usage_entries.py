# SPDX-License-Identifier: Apache-2.0
"""Entries of one pool in place of a Ledger's: answers GetContractUsage as its proto promises."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from meshkit.period import period_at
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2
from purser.ledger.v1 import ledger_peer_pb2 as pb
from tests.support.ledger_peer import RecordingLedger

CREDIT = 1_000_000


@dataclass
class UsageEntries:
    """The entries of one contract and pool in the order written. anchor: start of the usage periods.

    per_answer: so many entries are read for one answer.
    """

    credit_type_id: str
    anchor: datetime
    entries: list[tuple[datetime, str, int, str]] = field(default_factory=list)
    asked: list[pb.GetContractUsageRequest] = field(default_factory=list)
    detail: pb.UsageDetail = pb.USAGE_DETAIL_GROUP_AND_GRANT
    per_answer: int = 100_000

    def use(self, at: datetime, credits: float, *, user: str = "ada", paid: str = "INCLUDED") -> None:
        """Write usage of whole or half credits. paid: a grant kind, OVERAGE or SHORTFALL."""
        self.entries.append((at, user, int(credits * CREDIT), paid))

    def answer_for(self, ledger: RecordingLedger) -> None:
        ledger.answers["GetContractUsage"] = self.answer

    def answer(self, request: pb.GetContractUsageRequest) -> pb.GetContractUsageResponse:
        self.asked.append(request)
        closed = {one.credit_type_id: one.sequence for one in request.covered}.get(self.credit_type_id, 0)
        after = {one.credit_type_id: one.sequence for one in request.after}.get(self.credit_type_id, 0)
        closed_time = request.covered_time.ToDatetime(tzinfo=UTC)
        period = period_at(self.anchor, 1, closed_time)
        dated = (number for number, entry in enumerate(self.entries) if entry[0] >= closed_time)
        last = min(len(self.entries), after + self.per_answer)
        if request.positions_only:
            last = next(dated, len(self.entries))
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        for sequence, (at, user, micros, paid) in enumerate(self.entries[:last], start=1):
            is_closed = sequence <= closed and at < closed_time
            if sequence > after and at < period.end and not is_closed and not request.positions_only:
                sums[user, paid] += micros
        position = pb.PoolPosition(credit_type_id=self.credit_type_id, sequence=last)
        return pb.GetContractUsageResponse(
            start_time=timestamp(period.start),
            end_time=timestamp(period.end),
            positions=[position],
            detail=self.detail,
            has_more=not request.positions_only and last < len(self.entries),
            rows=[self._row(user, paid, micros) for (user, paid), micros in sorted(sums.items())],
        )

    def _row(self, user: str, paid: str, micros: int) -> pb.ContractUsageRow:
        row = pb.ContractUsageRow(
            credit_type_id=self.credit_type_id,
            product_id="prd_assistant",
            product_name="AI assistant",
            group_value=user,
        )
        if paid == "OVERAGE":
            row.overage_micros = micros
        elif paid == "SHORTFALL":
            row.shortfall_micros = micros
        else:
            row.credits_micros = micros
            row.payer.grant_kind = ledger_pb2.GrantKind.Value(f"GRANT_KIND_{paid}")
            row.payer.effective_time.CopyFrom(timestamp(self.anchor))
        return row
