# SPDX-License-Identifier: Apache-2.0
"""The servicer: per rpc, request → operation → response. Faults are mapped by meshkit's interceptor."""

from typing import Any, Final

from grpc.aio import ServicerContext

from purser.catalog.v1 import catalog_pb2 as pb
from purser.catalog.v1 import catalog_pb2_grpc
from services.catalog.operations import Operations
from services.catalog.wire import credit_types

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["CatalogService"].full_name

Context = ServicerContext[Any, Any]


class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """purser.catalog.v1.CatalogService; what each rpc promises is told in the proto."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def CreateCreditType(
        self, request: pb.CreateCreditTypeRequest, context: Context
    ) -> pb.CreateCreditTypeResponse:
        command = credit_types.create_from_wire(request)
        credit_type = await self._do.credit_types.create(command)
        return credit_types.create_to_wire(credit_type)

    async def ListCreditTypes(
        self, request: pb.ListCreditTypesRequest, context: Context
    ) -> pb.ListCreditTypesResponse:
        page = credit_types.list_from_wire(request)
        rows = await self._do.credit_types.list(page)
        return credit_types.list_to_wire(rows, page)
