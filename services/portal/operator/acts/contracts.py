# SPDX-License-Identifier: Apache-2.0
"""Acts on customers, seats and invoices."""

from typing import Final

from purser.contract.v1 import contract_pb2 as contract
from services.portal.mesh import listed
from services.portal.operator.acts.act import (
    CUSTOMER,
    REASON,
    ROWS_MAX,
    Act,
    Doing,
    Facts,
    customer_page,
)
from services.portal.operator.acts.fields import Field, Kind, Values
from services.portal.operator.showing import word

MONEY_BACK: Final = {
    "NONE": "nothing comes back",
    "CREDIT_UNUSED": "what was paid comes back, as far as its time is left and its credits are unused",
}


def _contract_page(values: Values) -> str:
    return f"/operator/customers/{values['customer']}/contracts/{values['contract']}"


async def _void_invoice_effect(doing: Doing) -> Facts:
    values = doing.values
    found = await doing.mesh.contract.GetInvoice(contract.GetInvoiceRequest(invoice_id=values["invoice"]))
    one = found.invoice
    charges = "go on a new draft" if values["regenerate"] else "are waived"
    return (
        ("Invoice", f"{one.number or 'draft'} ({one.invoice_id})"),
        ("State", word(one, "status")),
        ("Total", doing.formats.money(one.total)),
        ("Paid", doing.formats.money(one.amount_paid)),
        ("Its charges", charges),
        ("Reason", values["reason"]),
    )


async def _void_invoice(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.contract.VoidInvoice(
        contract.VoidInvoiceRequest(
            request_id=request_id,
            invoice_id=values["invoice"],
            reason=values["reason"],
            regenerate=values["regenerate"],
        )
    )
    facts = [("Invoice", answer.invoice.invoice_id), ("State", word(answer.invoice, "status"))]
    if answer.HasField("regenerated"):
        facts.append(("New draft", answer.regenerated.invoice_id))
    return facts


async def _void_seats_effect(doing: Doing) -> Facts:
    values = doing.values
    changes = await listed(
        doing.mesh.contract.ListSeatChanges,
        contract.ListSeatChangesRequest(
            contract_id=values["contract"], subscription_id=values["subscription"]
        ),
        "seat_changes",
        rows_max=ROWS_MAX,
    )
    facts = [("Seat change", values["seat_change"])]
    for one in changes:
        if one.seat_change_id == values["seat_change"]:
            facts += [
                ("Seats", f"{one.quantity_delta:+d}, {one.quantity_after} after it"),
                ("In effect from", doing.formats.time(one.effective_time)),
            ]
    back = MONEY_BACK[values["money_back"]]
    return (*facts, ("Money, if it is more than 24 hours in effect", back))


async def _void_seats(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.contract.VoidSeatChange(
        contract.VoidSeatChangeRequest(
            request_id=request_id,
            contract_id=values["contract"],
            seat_change_id=values["seat_change"],
            money_back=f"MONEY_BACK_{values['money_back']}",
        )
    )
    settled = (("Settlement", word(answer.settlement, "status")),) if answer.HasField("settlement") else ()
    return (("Seats now", str(answer.subscription.quantity)), *settled)


async def _suspend_effect(doing: Doing) -> Facts:
    return (
        ("Customer", doing.values["customer"]),
        ("From the next call on", "the gate denies everything to this customer"),
        ("Note", doing.values["note"]),
    )


async def _suspend(doing: Doing, request_id: str) -> Facts:
    answer = await doing.mesh.contract.SuspendCustomer(
        contract.SuspendCustomerRequest(
            request_id=request_id, customer=doing.values["customer"], note=doing.values["note"]
        )
    )
    return (("Suspended", "yes" if answer.customer.is_suspended else "no"),)


async def _resume_effect(doing: Doing) -> Facts:
    answer = await doing.mesh.contract.GetCustomer(
        contract.GetCustomerRequest(customer=doing.values["customer"])
    )
    reasons = ", ".join(word(one, "reason") for one in answer.customer.suspensions)
    return (("Customer", doing.values["customer"]), ("Lifts all reasons", reasons or "none"))


async def _resume(doing: Doing, request_id: str) -> Facts:
    answer = await doing.mesh.contract.ResumeCustomer(
        contract.ResumeCustomerRequest(request_id=request_id, customer=doing.values["customer"])
    )
    return (("Suspended", "yes" if answer.customer.is_suspended else "no"),)


ACTS: Final = (
    Act(
        path="suspend",
        title="Suspend a customer",
        button="Suspend",
        fields=(CUSTOMER, Field(name="note", label="Why", hint="Shown to operators.")),
        effect=_suspend_effect,
        carry_out=_suspend,
        back=customer_page(""),
        is_danger=True,
    ),
    Act(
        path="resume",
        title="Resume a customer",
        button="Resume",
        fields=(CUSTOMER,),
        effect=_resume_effect,
        carry_out=_resume,
        back=customer_page(""),
    ),
    Act(
        path="void-invoice",
        title="Void an invoice",
        button="Void it",
        fields=(
            CUSTOMER,
            Field(name="invoice", kind=Kind.ID),
            REASON,
            Field(
                name="regenerate",
                label="Put its charges on a new draft",
                kind=Kind.FLAG,
                hint="Otherwise they are waived.",
            ),
        ),
        effect=_void_invoice_effect,
        carry_out=_void_invoice,
        back=customer_page("invoices"),
        is_danger=True,
    ),
    Act(
        path="void-seat-change",
        title="Void a seat change",
        button="Void it",
        fields=(
            CUSTOMER,
            Field(name="contract", kind=Kind.ID),
            Field(name="subscription", kind=Kind.ID),
            Field(name="seat_change", kind=Kind.ID),
            Field(
                name="money_back",
                label="Money, if it is more than 24 hours in effect",
                kind=Kind.CHOICE,
                choices=MONEY_BACK,
            ),
        ),
        effect=_void_seats_effect,
        carry_out=_void_seats,
        back=_contract_page,
        is_danger=True,
    ),
)
