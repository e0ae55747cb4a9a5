# SPDX-License-Identifier: Apache-2.0
"""The servicer for operators: per rpc, request → operation → response."""

from typing import Any, Final

from grpc.aio import ServicerContext

from purser.ledger.v1 import ledger_admin_pb2 as pb
from purser.ledger.v1 import ledger_admin_pb2_grpc
from services.ledger.operations import Operations
from services.ledger.wire.copies import repairs
from services.ledger.wire.credits import grants, refunds, reports
from services.ledger.wire.gate import cap_groups, caps, concurrency_caps, releases, shadow

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["LedgerAdminService"].full_name

Context = ServicerContext[Any, Any]


class LedgerAdminServicer(ledger_admin_pb2_grpc.LedgerAdminServiceServicer):
    """purser.ledger.v1.LedgerAdminService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def IssueGrant(self, request: pb.IssueGrantRequest, context: Context) -> pb.IssueGrantResponse:
        command = grants.issue_from_wire(request)
        grant = await self._do.grants.issue(command)
        return grants.issue_to_wire(grant, command.credit_type_id)

    async def VoidGrant(self, request: pb.VoidGrantRequest, context: Context) -> pb.VoidGrantResponse:
        command = grants.void_from_wire(request)
        voided = await self._do.grants.void(command)
        return grants.void_to_wire(voided)

    async def AdjustBalance(
        self, request: pb.AdjustBalanceRequest, context: Context
    ) -> pb.AdjustBalanceResponse:
        command = grants.adjust_from_wire(request)
        adjusted = await self._do.grants.adjust(command)
        return grants.adjust_to_wire(adjusted)

    async def ReleaseHold(self, request: pb.ReleaseHoldRequest, context: Context) -> pb.ReleaseHoldResponse:
        command = releases.release_from_wire(request)
        released = await self._do.releases.release(command)
        return releases.release_to_wire(released)

    async def RepairCopy(self, request: pb.RepairCopyRequest, context: Context) -> pb.RepairCopyResponse:
        command = repairs.repair_from_wire(request)
        repaired = await self._do.copy_repairs.repair(command)
        return repairs.repair_to_wire(repaired)

    async def SetSpendCap(self, request: pb.SetSpendCapRequest, context: Context) -> pb.SetSpendCapResponse:
        command = caps.set_from_wire(request)
        cap = await self._do.caps.set(command)
        return caps.set_to_wire(cap)

    async def SetCapGroup(self, request: pb.SetCapGroupRequest, context: Context) -> pb.SetCapGroupResponse:
        command = cap_groups.set_from_wire(request)
        group = await self._do.cap_groups.set(command)
        return cap_groups.set_to_wire(group)

    async def RemoveCapGroup(
        self, request: pb.RemoveCapGroupRequest, context: Context
    ) -> pb.RemoveCapGroupResponse:
        command = cap_groups.remove_from_wire(request)
        await self._do.cap_groups.remove(command)
        return pb.RemoveCapGroupResponse()

    async def GetCapGroup(self, request: pb.GetCapGroupRequest, context: Context) -> pb.GetCapGroupResponse:
        customer, cap_group_id = cap_groups.get_from_wire(request)
        group, values = await self._do.cap_groups.get(customer, cap_group_id)
        return cap_groups.get_to_wire(group, values)

    async def ListCapGroups(
        self, request: pb.ListCapGroupsRequest, context: Context
    ) -> pb.ListCapGroupsResponse:
        customer, page = cap_groups.list_from_wire(request)
        rows = await self._do.cap_groups.list(customer, page)
        return cap_groups.list_to_wire(rows, page, customer)

    async def SetTimeZone(self, request: pb.SetTimeZoneRequest, context: Context) -> pb.SetTimeZoneResponse:
        command = caps.zone_from_wire(request)
        answer = await self._do.caps.set_time_zone(command)
        return caps.zone_to_wire(answer)

    async def RemoveSpendCap(
        self, request: pb.RemoveSpendCapRequest, context: Context
    ) -> pb.RemoveSpendCapResponse:
        command = caps.remove_from_wire(request)
        await self._do.caps.remove(command)
        return pb.RemoveSpendCapResponse()

    async def SetConcurrencyCap(
        self, request: pb.SetConcurrencyCapRequest, context: Context
    ) -> pb.SetConcurrencyCapResponse:
        command = concurrency_caps.set_from_wire(request)
        cap = await self._do.concurrency_caps.set(command)
        return concurrency_caps.set_to_wire(cap)

    async def RemoveConcurrencyCap(
        self, request: pb.RemoveConcurrencyCapRequest, context: Context
    ) -> pb.RemoveConcurrencyCapResponse:
        command = concurrency_caps.remove_from_wire(request)
        await self._do.concurrency_caps.remove(command)
        return pb.RemoveConcurrencyCapResponse()

    async def ListConcurrencyCaps(
        self, request: pb.ListConcurrencyCapsRequest, context: Context
    ) -> pb.ListConcurrencyCapsResponse:
        customer, page = concurrency_caps.list_from_wire(request)
        rows = await self._do.concurrency_caps.list(customer, page)
        return concurrency_caps.list_to_wire(rows, page, customer)

    async def SetShadowMode(
        self, request: pb.SetShadowModeRequest, context: Context
    ) -> pb.SetShadowModeResponse:
        command = shadow.set_from_wire(request)
        mode = await self._do.shadows.set(command)
        return shadow.set_to_wire(mode)

    async def ListShadowModes(
        self, request: pb.ListShadowModesRequest, context: Context
    ) -> pb.ListShadowModesResponse:
        customer = shadow.modes_from_wire(request)
        modes = await self._do.shadows.modes(customer)
        return shadow.modes_to_wire(modes)

    async def ListShadowDenials(
        self, request: pb.ListShadowDenialsRequest, context: Context
    ) -> pb.ListShadowDenialsResponse:
        query = shadow.denials_from_wire(request)
        rows = await self._do.shadows.denials(query.customer, query.first, query.last, query.page)
        return shadow.denials_to_wire(rows, query)

    async def ListSeatBalances(
        self, request: pb.ListSeatBalancesRequest, context: Context
    ) -> pb.ListSeatBalancesResponse:
        query = reports.seats_from_wire(request)
        rows, at = await self._do.seat_balances.list(query.customer, query.subscription_id, query.page)
        return reports.seats_to_wire(rows, query, at=at)

    async def ListSpendCaps(
        self, request: pb.ListSpendCapsRequest, context: Context
    ) -> pb.ListSpendCapsResponse:
        customer, page = caps.list_from_wire(request)
        rows, time_zone = await self._do.caps.list(customer, page)
        return caps.list_to_wire(rows, page, customer, time_zone)

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Context) -> pb.ListGrantsResponse:
        query = reports.grants_from_wire(request)
        rows, at = await self._do.reports.grants(query.customer, query.credit_type_id, query.page)
        return reports.grants_to_wire(rows, query, at=at)

    async def ListDebts(self, request: pb.ListDebtsRequest, context: Context) -> pb.ListDebtsResponse:
        query = refunds.debts_from_wire(request)
        debts, rows = await self._do.refunds.debts(query.customer, query.page)
        return refunds.debts_to_wire(debts, rows, query)

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Context) -> pb.ListEntriesResponse:
        query, credit_type_id = reports.entries_from_wire(request)
        rows = await self._do.reports.entries(query.customer, credit_type_id, query.grant_id, query.page)
        return reports.entries_to_wire(rows, query, credit_type_id)

    async def ListHolds(self, request: pb.ListHoldsRequest, context: Context) -> pb.ListHoldsResponse:
        query = reports.holds_from_wire(request)
        rows, at = await self._do.reports.holds(query.customer, query.state, query.hold_id, query.page)
        return reports.holds_to_wire(rows, query, at=at)

    async def GetUsageSummary(
        self, request: pb.GetUsageSummaryRequest, context: Context
    ) -> pb.GetUsageSummaryResponse:
        query = reports.usage_from_wire(request)
        rows = await self._do.reports.usage(
            query.customer, query.span, group_key=query.group_key, window=query.window
        )
        return reports.usage_to_wire(rows)

    async def VerifyLedger(
        self, request: pb.VerifyLedgerRequest, context: Context
    ) -> pb.VerifyLedgerResponse:
        customer = reports.verify_from_wire(request)
        found = await self._do.reports.verify(customer)
        return reports.verify_to_wire(found)
