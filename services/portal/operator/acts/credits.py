# SPDX-License-Identifier: Apache-2.0
"""Acts on credits: grant, adjust, void a grant, release a hold."""

from typing import Final

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
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
from services.portal.operator.acts.fields import Field, Kind
from services.portal.operator.showing import word

CREDIT_TYPE: Final = Field(name="credit_type", kind=Kind.ID)
EXPIRES: Final = Field(
    name="expire_time", label="They expire", kind=Kind.TIME, is_required=False, hint="Empty: never."
)


async def _available(doing: Doing) -> Facts:
    request = ledger.GetBalanceRequest(
        customer=doing.values["customer"], credit_type_id=doing.values["credit_type"]
    )
    pools = (await doing.mesh.ledger.GetBalance(request)).pools
    available = pools[0].available_micros if pools else 0
    return (
        ("Customer", doing.values["customer"]),
        ("Credit type", doing.names.of(doing.values["credit_type"])),
        ("Available now", doing.credits(available)),
    )


async def _grant_effect(doing: Doing) -> Facts:
    expires = doing.values["expire_time"]
    return (
        *await _available(doing),
        ("Adds", f"{doing.credits(doing.values['amount'])} promotional credits, as a grant"),
        ("They expire", doing.formats.time(expires) if expires else "never"),
    )


async def _grant(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    issued = await doing.mesh.ledger_admin.IssueGrant(
        admin.IssueGrantRequest(
            request_id=request_id,
            customer=values["customer"],
            credit_type_id=values["credit_type"],
            grant_kind=ledger.GRANT_KIND_PROMOTIONAL,
            amount_micros=values["amount"],
            expire_time=values["expire_time"],
            source_id=values["source"],
        )
    )
    return (("Granted", doing.credits(issued.grant.granted_micros)), ("Grant", issued.grant.grant_id))


async def _adjust_effect(doing: Doing) -> Facts:
    amount = doing.values["amount"]
    if amount < 0:
        how = f"{doing.credits(-amount)} credits, in burn-down order; nothing if fewer are available"
        return (*await _available(doing), ("Takes", how), ("Reason", doing.values["reason"]))
    expires = doing.values["expire_time"]
    return (
        *await _available(doing),
        ("Adds", f"{doing.credits(amount)} credits, as a grant"),
        ("They expire", doing.formats.time(expires) if expires else "never"),
        ("Reason", doing.values["reason"]),
    )


async def _adjust(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.ledger_admin.AdjustBalance(
        admin.AdjustBalanceRequest(
            request_id=request_id,
            customer=values["customer"],
            credit_type_id=values["credit_type"],
            amount_micros=values["amount"],
            expire_time=values["expire_time"],
            reason=values["reason"],
            actor=doing.subject,
        )
    )
    grant = (("Grant", answer.grant_id),) if answer.grant_id else ()
    return (("Adjusted by", doing.credits(answer.adjusted_micros)), *grant)


async def _void_grant_effect(doing: Doing) -> Facts:
    values = doing.values
    grants = await listed(
        doing.mesh.ledger_admin.ListGrants,
        admin.ListGrantsRequest(customer=values["customer"]),
        "grants",
        rows_max=ROWS_MAX,
    )
    facts = [("Grant", values["grant"])]
    for one in grants:
        if one.grant_id == values["grant"]:
            facts += [
                ("Kind", f"{word(one, 'grant_kind')}, {doing.names.of(one.credit_type_id)}"),
                ("Available, to be voided", doing.credits(one.available_micros)),
                ("Held, can still be captured", doing.credits(one.held_micros)),
            ]
    return (*facts, ("Reason", values["reason"]))


async def _void_grant(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.ledger_admin.VoidGrant(
        admin.VoidGrantRequest(
            request_id=request_id,
            customer=values["customer"],
            grant_id=values["grant"],
            reason=values["reason"],
            actor=doing.subject,
        )
    )
    return (("Voided", doing.credits(answer.voided_micros)), ("Grant", answer.grant.grant_id))


async def _release_effect(doing: Doing) -> Facts:
    values = doing.values
    decision = await doing.mesh.ledger.GetDecision(
        ledger.GetDecisionRequest(customer=values["customer"], hold_id=values["hold"])
    )
    return (
        ("Hold", values["hold"]),
        ("Held, to be available at once", doing.credits(decision.credits_micros)),
        ("If its AI call goes on", "its Capture is refused, and what it used is not charged"),
        ("Reason", values["reason"]),
    )


async def _release(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.ledger_admin.ReleaseHold(
        admin.ReleaseHoldRequest(
            request_id=request_id,
            customer=values["customer"],
            hold_id=values["hold"],
            reason=values["reason"],
            actor=doing.subject,
        )
    )
    return (
        ("Released", doing.credits(answer.released_micros)),
        ("Available now", doing.credits(answer.available_micros)),
    )


ACTS: Final = (
    Act(
        path="grant",
        title="Grant credits",
        button="Grant",
        fields=(
            CUSTOMER,
            CREDIT_TYPE,
            Field(name="amount", label="Credits", kind=Kind.CREDITS),
            EXPIRES,
            Field(
                name="source",
                label="What it is for",
                is_required=False,
                hint="Such as the id of a ticket. Nothing is granted twice for the same one.",
            ),
        ),
        effect=_grant_effect,
        carry_out=_grant,
        back=customer_page("grants"),
    ),
    Act(
        path="adjust",
        title="Adjust the balance",
        button="Adjust",
        fields=(
            CUSTOMER,
            CREDIT_TYPE,
            Field(
                name="amount",
                label="Credits",
                kind=Kind.CREDITS,
                hint="A negative number takes credits away: all of them, or none if fewer are available.",
            ),
            EXPIRES,
            REASON,
        ),
        effect=_adjust_effect,
        carry_out=_adjust,
        back=customer_page("entries"),
    ),
    Act(
        path="void-grant",
        title="Void a grant",
        button="Void it",
        fields=(CUSTOMER, Field(name="grant", kind=Kind.ID), REASON),
        effect=_void_grant_effect,
        carry_out=_void_grant,
        back=customer_page("grants"),
        is_danger=True,
    ),
    Act(
        path="release-hold",
        title="Release a hold",
        button="Release it",
        fields=(CUSTOMER, Field(name="hold", kind=Kind.ID), REASON),
        effect=_release_effect,
        carry_out=_release,
        back=customer_page("holds"),
        is_danger=True,
    ),
)
