# SPDX-License-Identifier: Apache-2.0
"""Step 10 of the story: usage that is reported after the fact, by a batch job that ran in the night."""

from datetime import UTC, datetime

from deploy.local.figures import Figures, decimal
from deploy.local.seatsco import RESEARCH, RESEARCH_EVENT, Offer, Stubs
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import usage_pb2 as usage

LONG_RUN, SHORT_RUN = "user_1234", "user_5678"
NIGHT = datetime(2025, 8, 3, 23, tzinfo=UTC)
TWO_DAYS_AGO = datetime(2025, 8, 2, tzinfo=UTC)


class Night:
    """Reports the usage of a night, takes one event back, and shows what was used by whom."""

    def __init__(self, stubs: Stubs, offer: Offer, figures: Figures) -> None:
        self._stubs = stubs
        self._offer = offer
        self._figures = figures

    async def report(self) -> None:
        """Report four events in one call, and one of them again."""
        batch = [
            _tokens("night-1-in", 120_000, "atlas", "input", LONG_RUN, at=NIGHT),
            _tokens("night-1-out", 30_000, "atlas", "output", LONG_RUN, at=NIGHT),
            _tokens("night-2-in", 52_500, "mini", "input", SHORT_RUN, at=TWO_DAYS_AGO),
            _tokens("night-3-in", 4_000, "mini", "image", SHORT_RUN, at=NIGHT),
        ]
        results = await self._record(*batch)
        for event, result in zip(batch, results, strict=True):
            self._figures.line(f"{event.transaction_id:<12} {_came_to(result)}")
        charged = sum(result.credits_micros for result in results)
        self._figures.figure("charged for the night, credits", decimal(charged), "250.5")
        self._figures.figure("two days late", _came_to(results[2]), "ACCEPTED, 10.5 credits")
        self._figures.figure(
            "a kind of token without a price", _came_to(results[3]), "REJECTED RATE_NOT_FOUND"
        )
        (again,) = await self._record(batch[0])
        self._figures.figure("sent a second time", _came_to(again), "ACCEPTED, 120 credits, a duplicate")

    async def void(self) -> None:
        """Take back an event that should not have been reported."""
        voided = await self._stubs.usage.VoidUsage(
            usage.VoidUsageRequest(
                request_id="story-void",
                customer="acme",
                transaction_id="night-1-out",
                reason="the run failed and returned nothing",
                actor="SeatsCo support",
            )
        )
        returned = -sum(line.credits_micros for line in voided.lines)
        self._figures.figure("voided: credits that come back", decimal(returned), "120")

    async def look_up(self) -> None:
        """Show August's usage of the product by user and by model."""
        by_user = await self._used(group_key="user_id")
        by_model = await self._used(dimension_key="model")
        self._figures.figure(f"{RESEARCH} by {LONG_RUN}", by_user.get(LONG_RUN, "none"), "120")
        self._figures.figure(f"{RESEARCH} by {SHORT_RUN}", by_user.get(SHORT_RUN, "none"), "10.5")
        self._figures.figure(f"{RESEARCH} on atlas", by_model.get("atlas", "none"), "120")
        self._figures.figure(f"{RESEARCH} on mini", by_model.get("mini", "none"), "10.5")

    async def verify(self) -> None:
        """Let the Ledger recount everything."""
        found = await self._stubs.ledger_admin.VerifyLedger(admin.VerifyLedgerRequest())
        self._figures.line(
            f"VerifyLedger recounted {found.pools} pool, {found.grants} grants, {found.entries} entries."
        )
        self._figures.figure("VerifyLedger: every figure adds up", str(found.is_consistent), "True")

    async def _record(self, *events: usage.UsageEvent) -> list[usage.UsageResult]:
        answer = await self._stubs.usage.RecordUsage(usage.RecordUsageRequest(events=events))
        return list(answer.results)

    async def _used(self, *, group_key: str = "", dimension_key: str = "") -> dict[str, str]:
        """Return the credits that August's usage of the product cost, by a group key or by a dimension."""
        answer = await self._stubs.usage.GetUsage(
            usage.GetUsageRequest(
                customer="acme",
                start_time=timestamp(datetime(2025, 8, 1, tzinfo=UTC)),
                end_time=timestamp(datetime(2025, 9, 1, tzinfo=UTC)),
                window=usage.USAGE_WINDOW_SPAN,
                product_id=self._offer.usage[RESEARCH],
                group_key=group_key,
                dimension_key=dimension_key,
            )
        )
        return {
            row.group_value if group_key else row.dimension_value: decimal(row.credits_micros)
            for row in answer.sums
        }


def _tokens(
    transaction_id: str, tokens: int, model: str, kind: str, user: str, *, at: datetime
) -> usage.UsageEvent:
    return usage.UsageEvent(
        transaction_id=transaction_id,
        customer="acme",
        event_type=RESEARCH_EVENT,
        timestamp=timestamp(at),
        properties={"tokens": str(tokens), "model": model, "token_kind": kind, "user_id": user},
    )


def _came_to(result: usage.UsageResult) -> str:
    status = usage.EventStatus.Name(result.event_status).removeprefix("EVENT_STATUS_")
    if result.event_status == usage.EVENT_STATUS_REJECTED:
        reason = usage.RejectionReason.Name(result.rejection_reason).removeprefix("REJECTION_REASON_")
        return f"{status} {reason}"
    came = f"{status}, {decimal(result.credits_micros)} credits"
    return f"{came}, a duplicate" if result.is_duplicate else came
