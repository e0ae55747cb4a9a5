# SPDX-License-Identifier: Apache-2.0
"""What is stored stays readable, and an honest retry keeps its hash: compared with golden files.

Files of version 1 were stored by the revision before there were versions, and so were the legacy hashes.
"""

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from meshkit.formats import Format
from meshkit.legacy_hash import legacy_hash
from meshkit.rpc.fingerprint import fingerprint
from services.alert.domain import commands as alert_commands
from services.alert.domain.notices import WatchChanged
from services.alert.wire import alerts, crossings, deliveries, endpoints, events
from services.alert.wire import self_service as own_alerts
from services.catalog.domain import commands as catalog_commands
from services.catalog.domain import notices as catalog_notices
from services.catalog.wire import (
    credit_types,
    metrics,
    products,
    rate_cards,
    rate_changes,
    rates,
    top_up_packs,
)
from services.contract.domain import notices as contract_notices
from services.contract.domain.commands import responses as contract_responses
from services.contract.wire import (
    auto_top_ups,
    contracts,
    credit_notes,
    customers,
    ends,
    invoice_payments,
    invoice_refunds,
    invoices,
    named_seats,
    parties,
    payment_setups,
    payments,
    plan_offers,
    schedules,
    seat_voids,
    seats,
    self_service,
    top_ups,
)
from services.contract.wire import plan_changes as contract_plan_changes
from services.contract.wire import refunds as top_up_refunds
from services.ledger.domain.crossings.watch import Crossing, LevelCrossing
from services.ledger.domain.responses import Response
from services.ledger.wire.copies import plan_changes, repairs
from services.ledger.wire.credits import grants, refunds
from services.ledger.wire.gate import cap_groups, caps, concurrency_caps, gate, leases, releases, shadow
from services.ledger.wire.usage import corrections, rerates
from tests.support.any_rpc import request_of
from tests.support.golden import (
    FORMATS,
    formats_of,
    path_of,
    read,
    requests_path,
    stored_rpcs,
    upcast,
    without_order,
)

WRITE = "run `.venv/bin/python -m tests.support.golden`, which writes what is missing"
CHANGED = (
    "the stored format of {name} has changed: values that were stored before would no longer be read, or be written"
    " otherwise. Add an upcaster to its Format (libs/README.md, Stored formats), keep {path} as it is, and {write}"
)
READS: dict[str, Callable[[Any], Any]] = {
    "AddRates": rates.add_from_wire,
    "ApplyPlanChange": plan_changes.plan_change_from_wire,
    "ArchiveAlert": alerts.archive_from_wire,
    "CreateOwnAlert": own_alerts.create_alert_from_wire,
    "ArchiveOwnAlert": own_alerts.archive_alert_from_wire,
    "CreateOwnDestination": own_alerts.create_from_wire,
    "ConfirmOwnDestination": own_alerts.confirm_from_wire,
    "RemoveOwnDestination": own_alerts.remove_from_wire,
    "UpdateAlert": alerts.update_from_wire,
    "PauseAlert": alerts.pause_from_wire,
    "ResumeAlert": alerts.resume_from_wire,
    "ArchiveCustomer": customers.archive_from_wire,
    "ArchiveBillableMetric": metrics.archive_from_wire,
    "ArchiveProduct": products.archive_from_wire,
    "AdjustBalance": grants.adjust_from_wire,
    "AdjustSeats": self_service.adjust_from_wire,
    "AmendUsage": corrections.amend_from_wire,
    "Authorize": gate.authorize_from_wire,
    "BuyTopUp": self_service.buy_from_wire,
    "CancelTopUp": top_ups.cancel_from_wire,
    "Capture": gate.capture_from_wire,
    "PayTopUp": payments.pay_from_wire,
    "RefundInvoicePayment": invoice_refunds.refund_from_wire,
    "PayInvoice": invoice_payments.pay_from_wire,
    "SetInvoiceCollection": contracts.set_collection_from_wire,
    "SetPaymentMethod": payments.set_method_from_wire,
    "CreatePaymentSetup": payment_setups.create_from_wire,
    "NameSeats": named_seats.name_from_wire,
    "SetSharedPoolAccess": named_seats.set_shared_pool_from_wire,
    "CreatePlanOffer": plan_offers.create_from_wire,
    "ArchivePlanOffer": plan_offers.archive_from_wire,
    "ChangeOwnPlan": plan_offers.change_own_from_wire,
    "ChangePlan": contract_plan_changes.change_from_wire,
    "ChangeSeats": seats.change_from_wire,
    "CorrectRate": rate_changes.correct_from_wire,
    "CreateAlert": alerts.create_from_wire,
    "CreateBillableMetric": metrics.create_from_wire,
    "CreateContract": contracts.create_from_wire,
    "CreateCreditNote": credit_notes.create_from_wire,
    "CreateCreditType": credit_types.create_from_wire,
    "CreateCustomer": customers.create_from_wire,
    "CreateProduct": products.create_from_wire,
    "CreateRateCard": rate_cards.create_from_wire,
    "CreateTopUpPack": top_up_packs.create_from_wire,
    "CreateWebhookEndpoint": endpoints.create_from_wire,
    "Debit": gate.debit_from_wire,
    "DisableAutoTopUp": auto_top_ups.disable_from_wire,
    "DisableWebhookEndpoint": endpoints.disable_from_wire,
    "EditGrantSchedule": schedules.edit_from_wire,
    "EndContract": ends.end_from_wire,
    "EndGrantSchedule": schedules.end_from_wire,
    "EndRate": rate_changes.end_from_wire,
    "ExtendHold": gate.extend_hold_from_wire,
    "Lease": leases.lease_from_wire,
    "SettleLease": leases.settle_from_wire,
    "EndLease": leases.end_from_wire,
    "FinalizeInvoice": invoices.finalize_from_wire,
    "IssueGrant": grants.issue_from_wire,
    "IssueTopUpGrant": grants.top_up_from_wire,
    "ObserveCrossing": crossings.observe_from_wire,
    "OrderTopUp": top_ups.order_from_wire,
    "PublishEvent": events.publish_from_wire,
    "RecordInvoicePayment": invoices.pay_from_wire,
    "RefundGrant": refunds.refund_from_wire,
    "RefundTopUp": top_up_refunds.refund_from_wire,
    "ReverseRefund": refunds.reversal_from_wire,
    "Release": gate.release_from_wire,
    "RemoveConcurrencyCap": concurrency_caps.remove_from_wire,
    "RemoveSpendCap": caps.remove_from_wire,
    "RemoveCapGroup": cap_groups.remove_from_wire,
    "SetCapGroup": cap_groups.set_from_wire,
    "RemoveOwnSpendCap": caps.remove_own_from_wire,
    "EnableWebhookEndpoint": endpoints.enable_from_wire,
    "TestWebhookEndpoint": endpoints.test_from_wire,
    "UpdateWebhookEndpoint": endpoints.update_from_wire,
    "ReplayDeliveries": deliveries.replays_from_wire,
    "ReplayDelivery": deliveries.replay_from_wire,
    "RepairAlertState": alerts.repair_from_wire,
    "RepairCopy": repairs.repair_from_wire,
    "RerateUsage": rerates.rerate_from_wire,
    "RenameCustomer": customers.rename_from_wire,
    "ResendAlert": alerts.resend_from_wire,
    "ResendCustomer": customers.resend_from_wire,
    "ResendProduct": products.resend_from_wire,
    "ResendRateCard": rate_cards.resend_from_wire,
    "ResolveTopUpPayment": top_ups.resolve_from_wire,
    "ResumeCustomer": customers.resume_from_wire,
    "RotateWebhookSecret": endpoints.rotate_from_wire,
    "SetAutoTopUp": auto_top_ups.set_from_wire,
    "SetBillingDetails": parties.set_billing_from_wire,
    "SetCustomerAliases": customers.set_aliases_from_wire,
    "SetOveragePolicy": contracts.set_overage_from_wire,
    "SetSellerDetails": parties.set_seller_from_wire,
    "SetConcurrencyCap": concurrency_caps.set_from_wire,
    "SetShadowMode": shadow.set_from_wire,
    "SetSpendCap": caps.set_from_wire,
    "SetOwnSpendCap": caps.set_own_from_wire,
    "SetTimeZone": caps.zone_from_wire,
    "SuspendCustomer": customers.suspend_from_wire,
    "UnarchiveCustomer": customers.unarchive_from_wire,
    "UpdateProduct": products.update_from_wire,
    "VoidGrant": grants.void_from_wire,
    "ReleaseHold": releases.release_from_wire,
    "ReportTopUpChargeback": top_up_refunds.chargeback_from_wire,
    "RepriceSeats": invoices.reprice_from_wire,
    "VoidInvoice": invoices.void_from_wire,
    "VoidSeatChange": seat_voids.void_from_wire,
    "VoidUsage": corrections.void_from_wire,
    "WithdrawRate": rate_changes.withdraw_from_wire,
}
STORED = [(service, one) for service in FORMATS for one in formats_of(service)]
every_format = pytest.mark.parametrize(
    ("service", "one"), STORED, ids=[f"{service}-{one.name}" for service, one in STORED]
)
REQUESTS = [(service, rpc) for service in FORMATS for rpc in sorted(stored_rpcs(service))]
every_request = pytest.mark.parametrize(("service", "rpc"), REQUESTS, ids=[rpc for _, rpc in REQUESTS])


@every_format
def test_every_version_of_a_format_has_a_golden_file(service: str, one: Format[Any]) -> None:
    paths = [path_of(service, one, version) for version in range(1, one.version + 1)]

    missing = [str(path) for path in paths if not path.exists() or not read(path)["values"]]
    assert not missing, f"no golden values in {missing}; {WRITE}"


@every_format
def test_what_was_stored_in_this_version_is_read_and_written_as_it_was(
    service: str, one: Format[Any]
) -> None:
    path = path_of(service, one, one.version)

    for stored in read(path)["values"]:
        advice = CHANGED.format(name=one.name, path=path, write=WRITE)
        try:
            value = one.decode(stored)
        except ValueError as error:
            raise AssertionError(advice) from error
        assert without_order(one.encode(value)) == without_order(stored), advice
        assert without_order(json.loads(one.to_text(value))) == without_order(stored), advice
        assert one.decode(one.encode(value)) == value


@every_format
def test_what_was_stored_in_an_older_version_is_read_as_its_golden_file_says(
    service: str, one: Format[Any]
) -> None:
    golden = read(path_of(service, one, one.version))

    for version in range(1, one.version):
        assert without_order(upcast(service, one, version)) == without_order(golden[f"from {version}"])


@pytest.mark.parametrize(
    ("formats", "union"),
    [
        (FORMATS["alert"][0], alert_commands.Response),
        (FORMATS["alert"][1], WatchChanged),
        (FORMATS["catalog"][0], catalog_commands.Response),
        (FORMATS["catalog"][1], catalog_notices.Payload),
        (FORMATS["contract"][0], contract_responses.Response),
        (FORMATS["contract"][1], contract_notices.Payload),
        (FORMATS["ledger"][0], Response),
        (FORMATS["ledger"][1], Crossing | LevelCrossing),
    ],
    ids=[f"{service} {what}" for service in FORMATS for what in ("responses", "notices")],
)
def test_every_type_that_may_be_stored_has_a_format(formats: Any, union: Any) -> None:
    assert {one.stored_type for one in formats} == set(get_args(union) or (union,))


@every_request
def test_a_request_that_was_sent_before_has_the_hash_that_was_stored(service: str, rpc: str) -> None:
    golden = read(requests_path(service)).get(rpc)
    assert golden, f"no golden request of {rpc}; call it in tests/support/every_write.py and {WRITE}"

    for one in golden:
        request = request_of(service, rpc, one["request"])
        command = READS[rpc](request)
        assert fingerprint(rpc, request).hex() == one["fingerprint"], (
            f"{rpc}: a field number or type has changed"
        )
        assert command.fingerprint.hex() == one["fingerprint"], f"{rpc}: the command bears another hash"


BEFORE = [
    (service, rpc)
    for service in FORMATS
    for rpc, golden in read(requests_path(service)).items()
    if "legacy" in golden[0]
]


@pytest.mark.parametrize(("service", "rpc"), BEFORE, ids=[rpc for _, rpc in BEFORE])
def test_a_command_has_the_hash_that_the_revision_before_stored(service: str, rpc: str) -> None:
    for one in read(requests_path(service))[rpc]:
        command = READS[rpc](request_of(service, rpc, one["request"]))

        assert legacy_hash(command) == bytes.fromhex(one["legacy"]), (
            f"a class or field inside {type(command).__name__} has another name: enter it in meshkit/legacy_hash.py"
        )


def test_all_commands_of_the_revision_before_but_those_of_the_gate_have_a_legacy_hash() -> None:
    # The gate's hash was over the wire already, and the rest is newer.
    others = {"Authorize", "Capture", "Debit", "ExtendHold", "Release"}
    newer = {
        "RemoveCapGroup",
        "SetCapGroup",
        "RemoveOwnSpendCap",
        "SetOwnSpendCap",
        "SetTimeZone",
        "SettleLease",
        "AdjustBalance",
        "AdjustSeats",
        "AmendUsage",
        "ApplyPlanChange",
        "ArchiveCustomer",
        "BuyTopUp",
        "CancelTopUp",
        "ArchiveOwnAlert",
        "ArchivePlanOffer",
        "ConfirmOwnDestination",
        "CreateOwnAlert",
        "CreateOwnDestination",
        "RemoveOwnDestination",
        "ChangeOwnPlan",
        "ChangePlan",
        "CreatePlanOffer",
        "CorrectRate",
        "CreateCreditNote",
        "CreatePaymentSetup",
        "DisableAutoTopUp",
        "EditGrantSchedule",
        "EndGrantSchedule",
        "EndLease",
        "EndRate",
        "FinalizeInvoice",
        "IssueTopUpGrant",
        "Lease",
        "NameSeats",
        "PauseAlert",
        "RecordInvoicePayment",
        "RefundGrant",
        "RefundInvoicePayment",
        "RefundTopUp",
        "RemoveConcurrencyCap",
        "ReverseRefund",
        "ReleaseHold",
        "RepairAlertState",
        "RepairCopy",
        "ReportTopUpChargeback",
        "RepriceSeats",
        "PayInvoice",
        "PayTopUp",
        "PublishEvent",
        "RerateUsage",
        "ResumeAlert",
        "ResendAlert",
        "RenameCustomer",
        "ResendCustomer",
        "ResendProduct",
        "ResendRateCard",
        "SetAutoTopUp",
        "SetBillingDetails",
        "SetConcurrencyCap",
        "SetInvoiceCollection",
        "SetOveragePolicy",
        "SetPaymentMethod",
        "SetSellerDetails",
        "SetShadowMode",
        "SetSharedPoolAccess",
        "UnarchiveCustomer",
        "UpdateAlert",
        "EnableWebhookEndpoint",
        "ReplayDeliveries",
        "TestWebhookEndpoint",
        "UpdateWebhookEndpoint",
        "VoidGrant",
        "VoidInvoice",
        "VoidSeatChange",
        "VoidUsage",
        "WithdrawRate",
    }

    assert {rpc for _, rpc in BEFORE} == set(READS) - others - newer
