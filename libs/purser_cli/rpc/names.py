# SPDX-License-Identifier: Apache-2.0
"""Which rpcs have a command, and what each is called: `purser NOUN VERB`."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from google.protobuf.descriptor import MethodDescriptor

import purser
from purser.access.v1 import access_pb2
from purser_cli.rpc.descriptors import is_required
from purser_cli.session.profile import SERVICES

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
# A verb's noun is the rest of the rpc's name, in the singular: GetRateCard is `rate-card get`. These read better.
NAMES = {
    "GetAlertState": "alert state",
    "RepairAlertState": "alert repair-state",
    "ListAuditEvents": "audit list",
    "GetBalance": "balance get",
    "AdjustBalance": "balance adjust",
    "AdvanceTime": "clock advance",
    "GetTime": "clock get",
    "RepairCopy": "copy repair",
    "SetCustomerAliases": "customer set-aliases",
    "SetBillingDetails": "customer set-billing-details",
    "SetTimeZone": "customer set-time-zone",
    "SetInvoiceCollection": "contract set-invoice-collection",
    "SetOveragePolicy": "contract set-overage-policy",
    "ListDeadLetters": "dead-letters list",
    "RetryDeadLetter": "dead-letters retry",
    "DropDeadLetter": "dead-letters drop",
    "GetDecision": "decision get",
    "ReplayDeliveries": "delivery replay-range",
    "ExplainEntry": "entry explain",
    "Authorize": "gate authorize",
    "AuthorizeBatch": "gate authorize-batch",
    "Capture": "gate capture",
    "CaptureBatch": "gate capture-batch",
    "Debit": "gate debit",
    "DebitBatch": "gate debit-batch",
    "Release": "gate release",
    "ExtendHold": "gate extend",
    "Lease": "lease take",
    "SettleLease": "lease settle",
    "EndLease": "lease end",
    "ListGrantUsage": "grant usage",
    "GetInvoiceDocument": "invoice document",
    "GetInvoicePayment": "invoice payment",
    "RecordInvoicePayment": "invoice record-payment",
    "RefundInvoicePayment": "invoice refund-payment",
    "VerifyLedger": "ledger verify",
    "CreateBillableMetric": "metric create",
    "GetBillableMetric": "metric get",
    "ListBillableMetrics": "metric list",
    "ArchiveBillableMetric": "metric archive",
    "CreateTopUpPack": "pack create",
    "GetTopUpPack": "pack get",
    "ListTopUpPacks": "pack list",
    "ChangePlan": "plan change",
    "PreviewPlanChange": "plan preview",
    "GetPlanChange": "plan get",
    "ListPlanChanges": "plan list",
    "ChangeSeats": "seats change",
    "PreviewSeatChange": "seats preview",
    "VoidSeatChange": "seats void",
    "ListSeatChanges": "seats changes",
    "ListSeatBalances": "seats balances",
    "NameSeats": "seats name",
    "ListSeats": "seats list",
    "RepriceSeats": "seats reprice",
    "SetSharedPoolAccess": "seats set-shared-pool-access",
    "SetSellerDetails": "seller set",
    "GetSellerDetails": "seller get",
    "GetTopUpPayment": "top-up payment",
    "ResolveTopUpPayment": "top-up resolve",
    "ReportTopUpChargeback": "top-up report-chargeback",
    "RecordUsage": "usage record",
    "VoidUsage": "usage void",
    "AmendUsage": "usage amend",
    "RerateUsage": "usage rerate",
    "GetUsage": "usage get",
    "GetUsageSummary": "usage summary",
    "ListUsageEvents": "usage events",
    "ListTopSpenders": "usage top-spenders",
    "CreateWebhookEndpoint": "webhook create",
    "ListWebhookEndpoints": "webhook list",
    "UpdateWebhookEndpoint": "webhook update",
    "TestWebhookEndpoint": "webhook test",
    "EnableWebhookEndpoint": "webhook enable",
    "DisableWebhookEndpoint": "webhook disable",
    "RotateWebhookSecret": "webhook rotate-secret",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """An rpc with its command. services: those that offer it; more than one for what every service offers."""

    noun: str
    verb: str
    services: tuple[str, ...]
    method: MethodDescriptor

    @property
    def is_write(self) -> bool:
        """Return whether it needs an idempotency key. Where a request_id may be left out, it is a filter."""
        field = self.method.input_type.fields_by_name.get("request_id")
        return field is not None and is_required(field)

    @property
    def streams(self) -> bool:
        """Return whether the response is a stream."""
        return bool(self.method.server_streaming)


@cache
def rpcs() -> tuple[Rpc, ...]:
    """Return every rpc that a token may call for the vendor, in order of its command.

    Left out: what only peers may call, what only a customer's token may, and what takes a stream.
    """
    found: dict[tuple[str, str], Rpc] = {}
    for one in map(rpc_of, filter(_is_for_the_vendor, _methods())):
        if (one.noun, one.verb) in found:
            # Two gRPC services have an rpc of this name.
            one = replace(one, verb=f"{one.verb}-{one.method.containing_service.name.lower()}")
        found[one.noun, one.verb] = one
    return tuple(found[name] for name in sorted(found))


def rpc_named(name: str) -> Rpc:
    """Return the rpc of a bare name, such as "ListHolds"."""
    return next(one for one in rpcs() if one.method.name == name)


def rpc_of(method: MethodDescriptor) -> Rpc:
    """Return an rpc with the name of its command."""
    noun, verb = command_name(method.name)
    owner = method.containing_service.full_name.split(".")[1]
    return Rpc(noun=noun, verb=verb, services=(owner,) if owner in SERVICES else SERVICES, method=method)


def command_name(rpc: str) -> tuple[str, str]:
    """Return noun and verb of an rpc's command."""
    if rpc in NAMES:
        noun, _, verb = NAMES[rpc].partition(" ")
        return noun, verb
    verb, *rest = (word.lower() for word in WORD.findall(rpc))
    return singular("-".join(rest)) or "mesh", verb


def singular(noun: str) -> str:
    """Return a noun in the singular: rate-cards is rate-card."""
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-1] if noun.endswith("s") and not noun.endswith(("ss", "us")) else noun


def _methods() -> Iterator[MethodDescriptor]:
    # The stubs are namespace packages, which pkgutil does not walk.
    modules = {
        ".".join(file.relative_to(folder.parent).with_suffix("").parts)
        for folder in map(Path, purser.__path__)
        for file in folder.rglob("*_pb2.py")
    }
    for module in sorted(modules):
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values():
            yield from service.methods


def _is_for_the_vendor(method: MethodDescriptor) -> bool:
    # The stubs of protobuf do not know that an extension's descriptor is also its key.
    option: access_pb2.Access = cast(Any, method.GetOptions()).Extensions[access_pb2.access]
    return bool(set(option.roles) - {access_pb2.ROLE_CUSTOMER}) and not method.client_streaming
