# SPDX-License-Identifier: Apache-2.0
"""Every rpc without an idempotency key runs as a command against a running mesh, and shows what there is."""

import shlex
from pathlib import Path
from string import Template

import pytest

from purser_cli.rpc.names import rpcs
from tests.rpc.purser_cli.conftest import CommandMesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What is asked of each, and a word of the answer. A reason instead: nothing of the kind exists.
READS = {
    "ListAccountCredits": ("acme", "nothing"),
    "GetAlert": ("$alert", "low-balance"),
    "ListAlerts": ("", "10 credits or fewer are left"),
    "GetAlertState": ("$alert", "ok"),
    "ListAuditEvents": ("--subject vendor", "/purser.catalog.v1.CatalogService/CreateTop"),
    "GetAutoTopUp": ("atu_1", "AUTO_TOP_UP_NOT_FOUND"),
    "ListAutoTopUps": ("acme", "nothing"),
    "GetBalance": ("acme", "remaining"),
    "GetCapGroup": ("acme cpg_1", "CAP_GROUP_NOT_FOUND"),
    "ListCapGroups": ("acme", "nothing"),
    "AdvanceTime": ("--new-time 2025-06-01", "2025-06-01"),
    "GetTime": ("", "2025-06-01"),
    "ListConcurrencyCaps": ("acme", "nothing"),
    "GetContract": ("$contract", "Team Plan, annual"),
    "ListContracts": ("--customer acme", "Team Plan, annual"),
    "ListCreditTypes": ("", "AI credits"),
    "GetCustomer": ("acme", "Acme Inc."),
    "ListCustomers": ("", "Acme Inc."),
    "ListDeadLetters": ("", "nothing"),
    "ListDebts": ("acme", "nothing"),
    "GetDecision": ("acme --hold-id $hold", "allowed"),
    "ListDeliveries": ("", "nothing"),
    "ExplainEntry": ("acme $credits --sequence 1", "grant"),
    "ListEntries": ("acme $credits", "capture"),
    "ListEvents": ("", "invoice.finalized"),
    "AuthorizeBatch": ("--items customer=acme,product_id=$product,quantity=1,request_id=batch-1", "allowed"),
    "CaptureBatch": ("--items customer=acme,hold_id=hld_1,request_id=batch-2", "this customer has no hold"),
    "DebitBatch": ("--items customer=acme,product_id=$product,credits=1,request_id=batch-3", "decision"),
    "ListGrants": ("acme", "included"),
    "ListGrantUsage": ("acme $grant", "capture"),
    "ListHolds": ("acme", "held"),
    "GetInvoiceDocument": ("$invoice", "<title>Invoice 000001"),
    "GetInvoice": ("$invoice", "400.00 USD"),
    "ListInvoices": ("acme", "400.00 USD"),
    "GetInvoicePayment": ("$invoice", "PAYMENTS_NOT_SET_UP"),
    "VerifyLedger": ("", "yes"),
    "GetBillableMetric": ("$metric", "ai.assistant"),
    "ListBillableMetrics": ("", "ai.assistant"),
    "GetTopUpPack": ("$pack", "80.00 USD"),
    "ListTopUpPacks": ("", "80.00 USD"),
    "GetPaymentMethod": ("acme", "PAYMENT"),
    "GetPaymentSetup": ("pst_1", "PAYMENT"),
    "GetPlanOffer": ("pof_1", "PLAN_OFFER_NOT_FOUND"),
    "ListPlanOffers": ("", "nothing"),
    "GetPlanChange": ("pch_1", "PLAN_CHANGE_NOT_FOUND"),
    "ListPlanChanges": ("$contract", "nothing"),
    "PreviewPlanChange": ("$contract $card", "397.75 USD"),
    "GetProduct": ("$product", "AI Assistant"),
    "ListProducts": ("", "AI Assistant"),
    "ListRates": ("$card", "100"),
    "GetRateCard": ("$card", "SeatsCo list prices"),
    "ListRateCards": ("", "SeatsCo list prices"),
    "GetRerateJob": ("rrj_1", "RERATE_JOB_NOT_FOUND"),
    "ListRerateJobs": ("", "nothing"),
    "ListSeatBalances": ("acme", "nothing"),
    "ListSeatChanges": ("$contract", "nothing"),
    "ListSeats": ("$contract", "unassigned quantity: 4"),
    "PreviewSeatChange": ("$contract --quantity-delta 1", "USD"),
    "GetSellerDetails": ("", "nothing"),
    "ListShadowDenials": ("--start-time 2025-06-01 --end-time 2025-06-02", "nothing"),
    "ListShadowModes": ("acme", "nothing"),
    "ListSpendCaps": ("acme", "nothing"),
    "GetStatus": ("", "start time"),
    "GetTopUp": ("top_1", "TOP_UP_NOT_FOUND"),
    "ListTopUps": ("$contract", "nothing"),
    "GetTopUpPayment": ("top_1", "TOP_UP_NOT_FOUND"),
    "ListUsageEvents": ("acme", "nothing"),
    "GetUsage": ("--start-time 2025-06-01 --end-time 2025-06-02 --window day", "2025-06-01 to 2025-06-02"),
    "RecordUsage": (
        "--request '{}' --events transaction_id=t1,customer=acme,event_type=login",
        "is required",
    ),
    "GetUsageSummary": ("acme --start-time 2025-06-01 --end-time 2025-06-02", "$product"),
    "ListTopSpenders": ("acme $credits --group-key user_id", "user_1234"),
    "ListWebhookEndpoints": ("", "nothing"),
}
FOLLOWED = {"WatchEvents"}


async def test_every_read_runs_as_a_command(running: CommandMesh, tmp_path: Path) -> None:
    acme = running.acme
    allowed = await acme.authorize(1)
    await acme.debit(2)
    alert = await acme.warn_at(10)
    operator, gate = running.user(tmp_path), running.user(tmp_path, "gate")
    names = {
        "alert": alert.alert_id,
        "contract": acme.contract.contract_id,
        "credits": acme.offer.ai_credits,
        "card": acme.offer.rate_card,
        "hold": allowed.hold_id,
        "pack": acme.offer.pack,
        "product": acme.offer.usage["AI Assistant"],
        "grant": (await operator.run("grant", "list", "acme", "--json")).answer["grants"][0]["grantId"],
        "invoice": (await operator.run("invoice", "list", "acme", "--json")).answer["invoices"][0][
            "invoiceId"
        ],
        "metric": (await operator.run("metric", "list", "--json")).answer["billableMetrics"][0][
            "billableMetricId"
        ],
    }
    wrong = {}

    for rpc in rpcs():
        if rpc.is_write or rpc.method.name in FOLLOWED:
            continue
        words, shown = READS.get(rpc.method.name, ("", "a row in READS"))
        user = gate if rpc.noun == "gate" else operator
        ended = await user.run(rpc.noun, rpc.verb, *shlex.split(Template(words).substitute(names)))
        shown = Template(shown).substitute(names)
        if shown not in ended.out + ended.err or (ended.status and not shown.isupper()):
            wrong[rpc.method.name] = (ended.status, ended.err or ended.out)

    assert not wrong, "\n".join(f"{name}: {ended}" for name, ended in wrong.items())
    assert READS.keys() - {rpc.method.name for rpc in rpcs() if not rpc.is_write} == set()
