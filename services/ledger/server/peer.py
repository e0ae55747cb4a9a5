# SPDX-License-Identifier: Apache-2.0
"""The servicer for other services: per rpc, request → operation → response."""

from typing import Any, Final

from grpc.aio import ServicerContext

from purser.ledger.v1 import ledger_peer_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2_grpc
from services.ledger.operations import Operations
from services.ledger.wire.copies import alert, catalog, contract, plan_changes, seat_voids, top_up_levels
from services.ledger.wire.credits import grants, refunds
from services.ledger.wire.usage import contract_usage

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["LedgerPeerService"].full_name

Context = ServicerContext[Any, Any]


class LedgerPeerServicer(ledger_peer_pb2_grpc.LedgerPeerServiceServicer):
    """purser.ledger.v1.LedgerPeerService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def ApplyCustomer(
        self, request: pb.ApplyCustomerRequest, context: Context
    ) -> pb.ApplyCustomerResponse:
        update = contract.customer_from_wire(request)
        return pb.ApplyCustomerResponse(version=await self._do.copies.apply_customer(update))

    async def ApplyMetrics(
        self, request: pb.ApplyMetricsRequest, context: Context
    ) -> pb.ApplyMetricsResponse:
        update = catalog.product_from_wire(request)
        return pb.ApplyMetricsResponse(version=await self._do.copies.apply_product(update))

    async def ApplyRateCard(
        self, request: pb.ApplyRateCardRequest, context: Context
    ) -> pb.ApplyRateCardResponse:
        update = catalog.rate_card_from_wire(request)
        return pb.ApplyRateCardResponse(version=await self._do.copies.apply_rate_card(update))

    async def ApplyContract(
        self, request: pb.ApplyContractRequest, context: Context
    ) -> pb.ApplyContractResponse:
        update = contract.contract_from_wire(request)
        return pb.ApplyContractResponse(version=await self._do.copies.apply_contract(update))

    async def ApplySeatChange(
        self, request: pb.ApplySeatChangeRequest, context: Context
    ) -> pb.ApplySeatChangeResponse:
        update = contract.seat_change_from_wire(request)
        added = await self._do.copies.apply_seat_change(update)
        return contract.seat_change_to_wire(added)

    async def VoidSeatChange(
        self, request: pb.VoidSeatChangeRequest, context: Context
    ) -> pb.VoidSeatChangeResponse:
        voided = await self._do.seat_voids.void(seat_voids.void_from_wire(request))
        return seat_voids.void_to_wire(voided)

    async def ApplyPlanChange(
        self, request: pb.ApplyPlanChangeRequest, context: Context
    ) -> pb.ApplyPlanChangeResponse:
        change = plan_changes.plan_change_from_wire(request)
        changed = await self._do.plan_changes.apply(change)
        return plan_changes.plan_change_to_wire(changed)

    async def PreviewPlanChange(
        self, request: pb.PreviewPlanChangeRequest, context: Context
    ) -> pb.PreviewPlanChangeResponse:
        change = plan_changes.preview_from_wire(request)
        changed = await self._do.plan_changes.preview(change)
        return plan_changes.preview_to_wire(changed)

    async def PreviewSeatChange(
        self, request: pb.PreviewSeatChangeRequest, context: Context
    ) -> pb.PreviewSeatChangeResponse:
        update = contract.preview_from_wire(request)
        credits = await self._do.copies.preview_seat_change(update)
        return contract.preview_to_wire(credits)

    async def IssueTopUpGrant(
        self, request: pb.IssueTopUpGrantRequest, context: Context
    ) -> pb.IssueTopUpGrantResponse:
        command = grants.top_up_from_wire(request)
        grant = await self._do.grants.issue_top_up(command)
        return grants.top_up_to_wire(grant, command.credit_type_id)

    async def RefundGrant(self, request: pb.RefundGrantRequest, context: Context) -> pb.RefundGrantResponse:
        refunded = await self._do.refunds.refund(refunds.refund_from_wire(request))
        return refunds.refund_to_wire(refunded)

    async def ReverseRefund(
        self, request: pb.ReverseRefundRequest, context: Context
    ) -> pb.ReverseRefundResponse:
        reversed_ = await self._do.refunds.reverse(refunds.reversal_from_wire(request))
        return refunds.reversal_to_wire(reversed_)

    async def GetOwed(self, request: pb.GetOwedRequest, context: Context) -> pb.GetOwedResponse:
        customer_id, currency_code = refunds.owed_from_wire(request)
        owed = await self._do.refunds.owed(customer_id, currency_code)
        return pb.GetOwedResponse(owed_money_micros=owed)

    async def GetContractUsage(
        self, request: pb.GetContractUsageRequest, context: Context
    ) -> pb.GetContractUsageResponse:
        question = contract_usage.question_from_wire(request)
        usage = await self._do.usage.of_contract(question)
        return contract_usage.usage_to_wire(usage)

    async def WatchThreshold(
        self, request: pb.WatchThresholdRequest, context: Context
    ) -> pb.WatchThresholdResponse:
        update = alert.watch_from_wire(request)
        return pb.WatchThresholdResponse(version=await self._do.copies.watch_threshold(update))

    async def SetTopUpLevel(
        self, request: pb.SetTopUpLevelRequest, context: Context
    ) -> pb.SetTopUpLevelResponse:
        update = top_up_levels.level_from_wire(request)
        return pb.SetTopUpLevelResponse(version=await self._do.copies.watch_threshold(update))
