# SPDX-License-Identifier: Apache-2.0
"""The mesh as one caller may use it: stubs of all services, whose calls carry the caller's own credentials."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import grpc.aio

from meshkit.front import calling_as
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.audit.v1.audit_pb2_grpc import AuditServiceStub
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from purser.contract.v1.contract_pb2_grpc import ContractServiceStub
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub

if TYPE_CHECKING:
    # The stubs for aio channels have separate types, which exist only in the .pyi files.
    from purser.alert.v1.alert_pb2_grpc import AlertServiceAsyncStub
    from purser.audit.v1.audit_pb2_grpc import AuditServiceAsyncStub
    from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub
    from purser.contract.v1.contract_pb2_grpc import ContractServiceAsyncStub
    from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceAsyncStub
    from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceAsyncStub
    from purser.ledger.v1.usage_pb2_grpc import UsageServiceAsyncStub

SERVICES = ("catalog", "contract", "ledger", "alert")
# Much less than the SDK's minute, so that it hears what was too slow.
CALL_SECONDS_MAX = 10.0
Channels = Mapping[str, grpc.aio.Channel]


class Mesh:
    """Stubs of all services. authorization: the header of the caller, passed on as it is; empty: none."""

    def __init__(self, channels: Channels, authorization: str) -> None:
        self._channels = {
            name: calling_as(channel, authorization, seconds_max=CALL_SECONDS_MAX)
            for name, channel in channels.items()
        }

    @cached_property
    def catalog(self) -> "CatalogServiceAsyncStub":
        return CatalogServiceStub(self._channels["catalog"])

    @cached_property
    def contract(self) -> "ContractServiceAsyncStub":
        return ContractServiceStub(self._channels["contract"])

    @cached_property
    def gate(self) -> "LedgerServiceAsyncStub":
        return LedgerServiceStub(self._channels["ledger"])

    @cached_property
    def ledger_admin(self) -> "LedgerAdminServiceAsyncStub":
        return LedgerAdminServiceStub(self._channels["ledger"])

    @cached_property
    def usage(self) -> "UsageServiceAsyncStub":
        return UsageServiceStub(self._channels["ledger"])

    @cached_property
    def alert(self) -> "AlertServiceAsyncStub":
        return AlertServiceStub(self._channels["alert"])

    def audit(self, service: str) -> "AuditServiceAsyncStub":
        """Return the audit records of one of SERVICES."""
        return AuditServiceStub(self._channels[service])
