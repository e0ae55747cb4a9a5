# SPDX-License-Identifier: Apache-2.0
"""The servicer: per rpc, request → operation → response. meshkit/rpc/calls.py maps faults."""

from typing import Any, Final

from grpc.aio import ServicerContext

from purser.catalog.v1 import catalog_pb2 as pb
from purser.catalog.v1 import catalog_pb2_grpc
from services.catalog.operations import Operations
from services.catalog.wire import (
    credit_types,
    metrics,
    products,
    rate_cards,
    rate_changes,
    rates,
    top_up_packs,
)

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["CatalogService"].full_name

Context = ServicerContext[Any, Any]


class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """purser.catalog.v1.CatalogService. The proto documents each rpc."""

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

    async def CreateBillableMetric(
        self, request: pb.CreateBillableMetricRequest, context: Context
    ) -> pb.CreateBillableMetricResponse:
        command = metrics.create_from_wire(request)
        metric = await self._do.metrics.create(command)
        return metrics.create_to_wire(metric)

    async def GetBillableMetric(
        self, request: pb.GetBillableMetricRequest, context: Context
    ) -> pb.GetBillableMetricResponse:
        billable_metric_id = metrics.get_from_wire(request)
        metric = await self._do.metrics.get(billable_metric_id)
        return metrics.get_to_wire(metric)

    async def ListBillableMetrics(
        self, request: pb.ListBillableMetricsRequest, context: Context
    ) -> pb.ListBillableMetricsResponse:
        page = metrics.list_from_wire(request)
        rows = await self._do.metrics.list(page, include_archived=request.include_archived)
        return metrics.list_to_wire(rows, page, request)

    async def ArchiveBillableMetric(
        self, request: pb.ArchiveBillableMetricRequest, context: Context
    ) -> pb.ArchiveBillableMetricResponse:
        command = metrics.archive_from_wire(request)
        metric = await self._do.metrics.archive(command)
        return metrics.archive_to_wire(metric)

    async def CreateProduct(
        self, request: pb.CreateProductRequest, context: Context
    ) -> pb.CreateProductResponse:
        command = products.create_from_wire(request)
        product = await self._do.products.create(command)
        return products.create_to_wire(product)

    async def GetProduct(self, request: pb.GetProductRequest, context: Context) -> pb.GetProductResponse:
        product_id = products.get_from_wire(request)
        product = await self._do.products.get(product_id)
        return products.get_to_wire(product)

    async def UpdateProduct(
        self, request: pb.UpdateProductRequest, context: Context
    ) -> pb.UpdateProductResponse:
        command = products.update_from_wire(request)
        product = await self._do.products.update(command)
        return products.update_to_wire(product)

    async def ListProducts(
        self, request: pb.ListProductsRequest, context: Context
    ) -> pb.ListProductsResponse:
        page = products.list_from_wire(request)
        rows = await self._do.products.list(page, include_archived=request.include_archived)
        return products.list_to_wire(rows, page, request)

    async def ArchiveProduct(
        self, request: pb.ArchiveProductRequest, context: Context
    ) -> pb.ArchiveProductResponse:
        command = products.archive_from_wire(request)
        product = await self._do.products.archive(command)
        return products.archive_to_wire(product)

    async def ResendProduct(
        self, request: pb.ResendProductRequest, context: Context
    ) -> pb.ResendProductResponse:
        command = products.resend_from_wire(request)
        product = await self._do.products.resend(command)
        return products.resend_to_wire(product)

    async def CreateRateCard(
        self, request: pb.CreateRateCardRequest, context: Context
    ) -> pb.CreateRateCardResponse:
        command = rate_cards.create_from_wire(request)
        card = await self._do.rate_cards.create(command)
        return rate_cards.create_to_wire(card)

    async def GetRateCard(self, request: pb.GetRateCardRequest, context: Context) -> pb.GetRateCardResponse:
        rate_card_id = rate_cards.get_from_wire(request)
        card = await self._do.rate_cards.get(rate_card_id)
        return rate_cards.get_to_wire(card)

    async def ListRateCards(
        self, request: pb.ListRateCardsRequest, context: Context
    ) -> pb.ListRateCardsResponse:
        page = rate_cards.list_from_wire(request)
        rows = await self._do.rate_cards.list(page)
        return rate_cards.list_to_wire(rows, page)

    async def ResendRateCard(
        self, request: pb.ResendRateCardRequest, context: Context
    ) -> pb.ResendRateCardResponse:
        command = rate_cards.resend_from_wire(request)
        card = await self._do.rate_cards.resend(command)
        return rate_cards.resend_to_wire(card)

    async def AddRates(self, request: pb.AddRatesRequest, context: Context) -> pb.AddRatesResponse:
        command = rates.add_from_wire(request)
        added = await self._do.rates.add(command)
        return rates.add_to_wire(added)

    async def WithdrawRate(
        self, request: pb.WithdrawRateRequest, context: Context
    ) -> pb.WithdrawRateResponse:
        command = rate_changes.withdraw_from_wire(request)
        changed = await self._do.rates.withdraw(command)
        return rate_changes.withdraw_to_wire(changed)

    async def EndRate(self, request: pb.EndRateRequest, context: Context) -> pb.EndRateResponse:
        command = rate_changes.end_from_wire(request)
        changed = await self._do.rates.end(command)
        return rate_changes.end_to_wire(changed)

    async def CorrectRate(self, request: pb.CorrectRateRequest, context: Context) -> pb.CorrectRateResponse:
        command = rate_changes.correct_from_wire(request)
        changed = await self._do.rates.correct(command)
        return rate_changes.correct_to_wire(changed)

    async def ListRates(self, request: pb.ListRatesRequest, context: Context) -> pb.ListRatesResponse:
        asked, page = rates.list_from_wire(request)
        rows = await self._do.rates.list(asked, page)
        return rates.list_to_wire(rows, page, request)

    async def CreateTopUpPack(
        self, request: pb.CreateTopUpPackRequest, context: Context
    ) -> pb.CreateTopUpPackResponse:
        command = top_up_packs.create_from_wire(request)
        pack = await self._do.top_up_packs.create(command)
        return top_up_packs.create_to_wire(pack)

    async def GetTopUpPack(
        self, request: pb.GetTopUpPackRequest, context: Context
    ) -> pb.GetTopUpPackResponse:
        top_up_pack_id = top_up_packs.get_from_wire(request)
        pack = await self._do.top_up_packs.get(top_up_pack_id)
        return top_up_packs.get_to_wire(pack)

    async def ListTopUpPacks(
        self, request: pb.ListTopUpPacksRequest, context: Context
    ) -> pb.ListTopUpPacksResponse:
        page = top_up_packs.list_from_wire(request)
        rows = await self._do.top_up_packs.list(page)
        return top_up_packs.list_to_wire(rows, page)
