# SPDX-License-Identifier: Apache-2.0
"""The servicers, for operators and for other services: per rpc, request → operation → response.

meshkit's rpc/calls.py maps errors to statuses.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from grpc.aio import ServicerContext

from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_pb2_grpc, alert_peer_pb2_grpc, feed_pb2_grpc, self_service_pb2_grpc
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from purser.alert.v1 import feed_pb2 as feed_pb
from purser.alert.v1 import self_service_pb2 as own
from services.alert.operations import Operations
from services.alert.wire import alerts, crossings, deliveries, endpoints, events, feed, self_service

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["AlertService"].full_name
FEED_SERVICE_NAME: Final = feed_pb.DESCRIPTOR.services_by_name["EventFeedService"].full_name
SELF_SERVICE_NAME: Final = own.DESCRIPTOR.services_by_name["SelfService"].full_name
PEER_SERVICE_NAME: Final = peer_pb.DESCRIPTOR.services_by_name["AlertPeerService"].full_name

Context = ServicerContext[Any, Any]


class AlertServicer(alert_pb2_grpc.AlertServiceServicer):
    """purser.alert.v1.AlertService. The proto documents each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def CreateAlert(self, request: pb.CreateAlertRequest, context: Context) -> pb.CreateAlertResponse:
        command = alerts.create_from_wire(request)
        alert = await self._do.alerts.create(command)
        return alerts.create_to_wire(alert)

    async def GetAlert(self, request: pb.GetAlertRequest, context: Context) -> pb.GetAlertResponse:
        alert_id = alerts.get_from_wire(request)
        alert = await self._do.alerts.get(alert_id)
        return alerts.get_to_wire(alert)

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Context) -> pb.ListAlertsResponse:
        query, page = alerts.list_from_wire(request)
        rows = await self._do.alerts.list(query, page)
        return alerts.list_to_wire(rows, query, page)

    async def UpdateAlert(self, request: pb.UpdateAlertRequest, context: Context) -> pb.UpdateAlertResponse:
        command = alerts.update_from_wire(request)
        alert = await self._do.alerts.update(command)
        return alerts.update_to_wire(alert)

    async def PauseAlert(self, request: pb.PauseAlertRequest, context: Context) -> pb.PauseAlertResponse:
        command = alerts.pause_from_wire(request)
        alert = await self._do.alerts.pause(command)
        return alerts.pause_to_wire(alert)

    async def ResumeAlert(self, request: pb.ResumeAlertRequest, context: Context) -> pb.ResumeAlertResponse:
        command = alerts.resume_from_wire(request)
        alert = await self._do.alerts.resume(command)
        return alerts.resume_to_wire(alert)

    async def ArchiveAlert(
        self, request: pb.ArchiveAlertRequest, context: Context
    ) -> pb.ArchiveAlertResponse:
        command = alerts.archive_from_wire(request)
        alert = await self._do.alerts.archive(command)
        return alerts.archive_to_wire(alert)

    async def ResendAlert(self, request: pb.ResendAlertRequest, context: Context) -> pb.ResendAlertResponse:
        command = alerts.resend_from_wire(request)
        alert = await self._do.repairs.resend(command)
        return alerts.resend_to_wire(alert)

    async def RepairAlertState(
        self, request: pb.RepairAlertStateRequest, context: Context
    ) -> pb.RepairAlertStateResponse:
        command = alerts.repair_from_wire(request)
        status = await self._do.repairs.repair_state(command)
        return alerts.repair_to_wire(status)

    async def GetAlertState(
        self, request: pb.GetAlertStateRequest, context: Context
    ) -> pb.GetAlertStateResponse:
        query, page = alerts.states_from_wire(request)
        rows = await self._do.alerts.list_statuses(query, page)
        return alerts.states_to_wire(rows, query, page)

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, context: Context
    ) -> pb.CreateWebhookEndpointResponse:
        command = endpoints.create_from_wire(request)
        created, secret = await self._do.endpoints.create(command)
        return endpoints.create_to_wire(created, secret)

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, context: Context
    ) -> pb.ListWebhookEndpointsResponse:
        page = endpoints.list_from_wire(request)
        rows = await self._do.endpoints.list(page)
        return endpoints.list_to_wire(rows, page)

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: Context
    ) -> pb.RotateWebhookSecretResponse:
        command = endpoints.rotate_from_wire(request)
        rotated, secret = await self._do.endpoints.rotate_secret(command)
        return endpoints.rotate_to_wire(rotated, secret)

    async def DisableWebhookEndpoint(
        self, request: pb.DisableWebhookEndpointRequest, context: Context
    ) -> pb.DisableWebhookEndpointResponse:
        command = endpoints.disable_from_wire(request)
        endpoint = await self._do.endpoints.disable(command)
        return endpoints.disable_to_wire(endpoint)

    async def UpdateWebhookEndpoint(
        self, request: pb.UpdateWebhookEndpointRequest, context: Context
    ) -> pb.UpdateWebhookEndpointResponse:
        command = endpoints.update_from_wire(request)
        endpoint = await self._do.endpoints.update(command)
        return endpoints.update_to_wire(endpoint)

    async def TestWebhookEndpoint(
        self, request: pb.TestWebhookEndpointRequest, context: Context
    ) -> pb.TestWebhookEndpointResponse:
        command = endpoints.test_from_wire(request)
        delivery = await self._do.endpoints.test(command)
        return endpoints.test_to_wire(delivery)

    async def EnableWebhookEndpoint(
        self, request: pb.EnableWebhookEndpointRequest, context: Context
    ) -> pb.EnableWebhookEndpointResponse:
        command = endpoints.enable_from_wire(request)
        endpoint = await self._do.endpoints.enable(command)
        return endpoints.enable_to_wire(endpoint)

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        query, page = deliveries.list_from_wire(request)
        rows = await self._do.deliveries.list(query, page)
        return deliveries.list_to_wire(rows, query, page)

    async def ReplayDelivery(
        self, request: pb.ReplayDeliveryRequest, context: Context
    ) -> pb.ReplayDeliveryResponse:
        command = deliveries.replay_from_wire(request)
        delivery = await self._do.deliveries.replay(command)
        return deliveries.replay_to_wire(delivery)

    async def ReplayDeliveries(
        self, request: pb.ReplayDeliveriesRequest, context: Context
    ) -> pb.ReplayDeliveriesResponse:
        command = deliveries.replays_from_wire(request)
        started = await self._do.replays.start(command)
        return deliveries.replays_to_wire(started)


class EventFeedServicer(feed_pb2_grpc.EventFeedServiceServicer):
    """purser.alert.v1.EventFeedService; the proto documents each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def ListEvents(
        self, request: feed_pb.ListEventsRequest, context: Context
    ) -> feed_pb.ListEventsResponse:
        query, start, rows_max = feed.list_from_wire(request)
        page = await self._do.feed.list(query, start, rows_max=rows_max)
        return feed.list_to_wire(page)

    async def WatchEvents(
        self, request: feed_pb.WatchEventsRequest, context: Context
    ) -> AsyncGenerator[feed_pb.WatchEventsResponse]:
        query, start = feed.watch_from_wire(request)
        async with aclosing(self._do.feed.watch(query, start)) as pages:
            async for page in pages:
                for response in feed.watch_to_wire(page):
                    yield response


class SelfServiceServicer(self_service_pb2_grpc.SelfServiceServicer):
    """purser.alert.v1.SelfService; the proto documents each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def CreateOwnAlert(
        self, request: own.CreateOwnAlertRequest, context: Context
    ) -> own.CreateOwnAlertResponse:
        command = self_service.create_alert_from_wire(request)
        alert = await self._do.alerts.create(command)
        return self_service.create_alert_to_wire(alert)

    async def ArchiveOwnAlert(
        self, request: own.ArchiveOwnAlertRequest, context: Context
    ) -> own.ArchiveOwnAlertResponse:
        command = self_service.archive_alert_from_wire(request)
        alert = await self._do.alerts.archive(command)
        return self_service.archive_alert_to_wire(alert)

    async def CreateOwnDestination(
        self, request: own.CreateOwnDestinationRequest, context: Context
    ) -> own.CreateOwnDestinationResponse:
        command = self_service.create_from_wire(request)
        destination = await self._do.destinations.create(command)
        return self_service.create_to_wire(destination)

    async def ConfirmOwnDestination(
        self, request: own.ConfirmOwnDestinationRequest, context: Context
    ) -> own.ConfirmOwnDestinationResponse:
        command = self_service.confirm_from_wire(request)
        destination = await self._do.destinations.confirm(command)
        return self_service.confirm_to_wire(destination)

    async def RemoveOwnDestination(
        self, request: own.RemoveOwnDestinationRequest, context: Context
    ) -> own.RemoveOwnDestinationResponse:
        command = self_service.remove_from_wire(request)
        destination = await self._do.destinations.remove(command)
        return self_service.remove_to_wire(destination)

    async def ListOwnDestinations(
        self, request: own.ListOwnDestinationsRequest, context: Context
    ) -> own.ListOwnDestinationsResponse:
        customer_id = self_service.list_from_wire(request)
        rows = await self._do.destinations.list(customer_id)
        return self_service.list_to_wire(rows)

    async def ListOwnDeliveries(
        self, request: own.ListOwnDeliveriesRequest, context: Context
    ) -> own.ListOwnDeliveriesResponse:
        customer_id, page = self_service.mailed_from_wire(request)
        rows = await self._do.destinations.mailed(customer_id, page)
        return self_service.mailed_to_wire(rows, page, request)


class AlertPeerServicer(alert_peer_pb2_grpc.AlertPeerServiceServicer):
    """purser.alert.v1.AlertPeerService; the proto documents each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def ObserveCrossing(
        self, request: peer_pb.ObserveCrossingRequest, context: Context
    ) -> peer_pb.ObserveCrossingResponse:
        command = crossings.observe_from_wire(request)
        await self._do.crossings.observe(command)
        return peer_pb.ObserveCrossingResponse()

    async def PublishEvent(
        self, request: peer_pb.PublishEventRequest, context: Context
    ) -> peer_pb.PublishEventResponse:
        command = events.publish_from_wire(request)
        await self._do.events.publish(command)
        return peer_pb.PublishEventResponse()
