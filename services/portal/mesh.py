# SPDX-License-Identifier: Apache-2.0
"""The services as one viewer may call them: every call carries the viewer's token, and the services decide."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import grpc.aio
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2_grpc import HealthStub

from meshkit.front import calling_as
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.alert.v1.feed_pb2_grpc import EventFeedServiceStub
from purser.alert.v1.self_service_pb2_grpc import SelfServiceStub as AlertSelfServiceStub
from purser.audit.v1.audit_pb2_grpc import AuditServiceStub
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceStub
from purser.contract.v1.contract_pb2_grpc import ContractServiceStub
from purser.contract.v1.payments_pb2_grpc import PaymentServiceStub
from purser.contract.v1.self_service_pb2_grpc import SelfServiceStub as ContractSelfServiceStub
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.self_service_pb2_grpc import SelfServiceStub as LedgerSelfServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from purser.status.v1.status_pb2_grpc import StatusServiceStub

if TYPE_CHECKING:
    # The stubs for aio channels have separate types, which exist only in the .pyi files.
    from purser.alert.v1.alert_pb2_grpc import AlertServiceAsyncStub
    from purser.alert.v1.feed_pb2_grpc import EventFeedServiceAsyncStub
    from purser.alert.v1.self_service_pb2_grpc import SelfServiceAsyncStub as AlertSelfServiceAsyncStub
    from purser.audit.v1.audit_pb2_grpc import AuditServiceAsyncStub
    from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub
    from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceAsyncStub
    from purser.contract.v1.contract_pb2_grpc import ContractServiceAsyncStub
    from purser.contract.v1.payments_pb2_grpc import PaymentServiceAsyncStub
    from purser.contract.v1.self_service_pb2_grpc import SelfServiceAsyncStub as ContractSelfServiceAsyncStub
    from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceAsyncStub
    from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceAsyncStub
    from purser.ledger.v1.self_service_pb2_grpc import SelfServiceAsyncStub as LedgerSelfServiceAsyncStub
    from purser.ledger.v1.usage_pb2_grpc import UsageServiceAsyncStub
    from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceAsyncStub
    from purser.status.v1.status_pb2_grpc import StatusServiceAsyncStub

# The four processes, in the order in which pages name them.
SERVICES = ("catalog", "contract", "ledger", "alert")
# Longer than any page should take, shorter than people wait.
CALL_SECONDS_MAX = 8.0
PAGE_ROWS = 500

Channels = Mapping[str, grpc.aio.Channel]


class Mesh:
    """Stubs of all services, one attribute for each gRPC service; calls fail with AioRpcError.

    Services that every process serves (audit, status) are functions of the name of the process.
    """

    def __init__(self, channels: Channels, token: str) -> None:
        self._channels = {
            name: _named(name, calling_as(channel, f"Bearer {token}", seconds_max=CALL_SECONDS_MAX))
            for name, channel in channels.items()
        }

    @cached_property
    def catalog(self) -> "CatalogServiceAsyncStub":
        return CatalogServiceStub(self._channels["catalog"])

    @cached_property
    def contract(self) -> "ContractServiceAsyncStub":
        return ContractServiceStub(self._channels["contract"])

    @cached_property
    def contract_self(self) -> "ContractSelfServiceAsyncStub":
        return ContractSelfServiceStub(self._channels["contract"])

    @cached_property
    def payments(self) -> "PaymentServiceAsyncStub":
        return PaymentServiceStub(self._channels["contract"])

    @cached_property
    def auto_top_ups(self) -> "AutoTopUpServiceAsyncStub":
        return AutoTopUpServiceStub(self._channels["contract"])

    @cached_property
    def ledger(self) -> "LedgerServiceAsyncStub":
        return LedgerServiceStub(self._channels["ledger"])

    @cached_property
    def ledger_self(self) -> "LedgerSelfServiceAsyncStub":
        return LedgerSelfServiceStub(self._channels["ledger"])

    @cached_property
    def ledger_admin(self) -> "LedgerAdminServiceAsyncStub":
        return LedgerAdminServiceStub(self._channels["ledger"])

    @cached_property
    def usage(self) -> "UsageServiceAsyncStub":
        return UsageServiceStub(self._channels["ledger"])

    @cached_property
    def alert(self) -> "AlertServiceAsyncStub":
        return AlertServiceStub(self._channels["alert"])

    @cached_property
    def alert_self(self) -> "AlertSelfServiceAsyncStub":
        return AlertSelfServiceStub(self._channels["alert"])

    @cached_property
    def feed(self) -> "EventFeedServiceAsyncStub":
        return EventFeedServiceStub(self._channels["alert"])

    def status(self, service: str) -> "StatusServiceAsyncStub":
        """Return how one of the four processes is doing."""
        return StatusServiceStub(self._channels[service])

    def health(self, service: str) -> HealthStub:
        """Return whether one of the four processes accepts calls."""
        return HealthStub(self._channels[service])

    def audit(self, service: str) -> "AuditServiceAsyncStub":
        """Return the audit records of one of the four processes."""
        return AuditServiceStub(self._channels[service])

    def dead_letters(self, service: str) -> "DeadLetterServiceAsyncStub":
        """Return the dead letters of one of the four processes."""
        return DeadLetterServiceStub(self._channels[service])


class _NamedChannel:
    """A channel that notes the service on every call that fails: nothing else in the error names it."""

    def __init__(self, name: str, channel: grpc.aio.Channel) -> None:
        self._name = name
        self._channel = channel
        self.stream_unary = channel.stream_unary
        self.unary_stream = channel.unary_stream
        self.stream_stream = channel.stream_stream

    def unary_unary(self, *arguments: Any, **more: Any) -> Callable[..., Awaitable[Any]]:
        call: Any = self._channel.unary_unary(*arguments, **more)

        async def calling(request: Any, **limits: Any) -> Any:
            try:
                return await call(request, **limits)
            except AioRpcError as error:
                error.add_note(self._name)
                raise

        return calling


def _named(name: str, channel: grpc.aio.Channel) -> grpc.aio.Channel:
    return cast(grpc.aio.Channel, _NamedChannel(name, channel))


def service_of(error: AioRpcError) -> str:
    """Return the name of the service whose call failed."""
    return next((note for note in getattr(error, "__notes__", ()) if note in SERVICES), "a service")


async def listed(
    method: Callable[[Any], Awaitable[Any]], request: Any, field: str, *, rows_max: int
) -> list[Any]:
    """Return the rows of all pages of a list, the first `rows_max` of them. field: of the response with the rows."""
    rows: list[Any] = []
    request.page_size = PAGE_ROWS
    while len(rows) < rows_max:
        answer = await method(request)
        rows += getattr(answer, field)
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    return rows[:rows_max]
