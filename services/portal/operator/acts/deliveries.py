# SPDX-License-Identifier: Apache-2.0
"""Acts on what is delivered: to the vendor's endpoints, and between services."""

from typing import Final

from purser.alert.v1 import alert_pb2 as alert
from purser.outbox.v1 import dead_letters_pb2 as letters
from services.portal.mesh import SERVICES
from services.portal.operator.acts.act import REASON, Act, Doing, Facts
from services.portal.operator.acts.fields import Field, Kind, Values
from services.portal.operator.showing import word


def _deliveries_page(values: Values) -> str:
    return "/operator/deliveries"


def _dead_letters_page(values: Values) -> str:
    return "/operator/dead-letters"


async def _resend_effect(doing: Doing) -> Facts:
    return (
        ("Delivery", doing.values["delivery"]),
        ("Is posted again", "for up to 2 days, with the same webhook id and the same body"),
    )


async def _resend(doing: Doing, request_id: str) -> Facts:
    answer = await doing.mesh.alert.ReplayDelivery(
        alert.ReplayDeliveryRequest(request_id=request_id, delivery_id=doing.values["delivery"])
    )
    return (("Delivery", answer.delivery.delivery_id), ("State", word(answer.delivery, "status")))


async def _replay_effect(doing: Doing) -> Facts:
    values = doing.values
    until = doing.formats.time(values["end_time"]) if values["end_time"] else "now"
    return (
        ("Endpoint", values["endpoint"] or "every enabled one"),
        ("Created from", doing.formats.time(values["start_time"])),
        ("Created before", until),
        (
            "Posts again",
            "those that failed" if values["failed_only"] else "those that failed or were accepted",
        ),
    )


async def _replay(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.alert.ReplayDeliveries(
        alert.ReplayDeliveriesRequest(
            request_id=request_id,
            webhook_endpoint_id=values["endpoint"],
            start_time=values["start_time"],
            end_time=values["end_time"],
            failed_only=values["failed_only"],
        )
    )
    return (("Posted to again", ", ".join(answer.webhook_endpoint_ids) or "nothing: no delivery fits"),)


async def _letter_effect(doing: Doing) -> Facts:
    """Say which notice it is; a letter that is no longer listed has ended, and the service says so."""
    values = doing.values
    listed = await doing.mesh.dead_letters(values["service"]).ListDeadLetters(
        letters.ListDeadLettersRequest()
    )
    facts = [("Service", values["service"]), ("Notice", values["notice"])]
    for one in listed.dead_letters:
        if one.notice_id == values["notice"]:
            facts += [("Says", f"{one.kind} of {one.key}"), ("The peer's last answer", one.last_error)]
    if "reason" in values:
        facts += [("Is given up", "it is never sent"), ("Reason", values["reason"])]
    return facts


async def _retry(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.dead_letters(values["service"]).RetryDeadLetter(
        letters.RetryDeadLetterRequest(request_id=request_id, notice_id=values["notice"])
    )
    return (("Delivered", doing.formats.time(answer.dead_letter.end_time)),)


async def _drop(doing: Doing, request_id: str) -> Facts:
    values = doing.values
    answer = await doing.mesh.dead_letters(values["service"]).DropDeadLetter(
        letters.DropDeadLetterRequest(
            request_id=request_id, notice_id=values["notice"], reason=values["reason"], actor=doing.subject
        )
    )
    return (("Given up", doing.formats.time(answer.dead_letter.end_time)),)


# A choice, because the name leads to a channel.
SERVICE: Final = Field(name="service", kind=Kind.ID, choices=dict(zip(SERVICES, SERVICES, strict=True)))
NOTICE: Final = Field(name="notice", kind=Kind.ID)

ACTS: Final = (
    Act(
        path="resend",
        title="Post a delivery again",
        button="Post again",
        fields=(Field(name="delivery", kind=Kind.ID),),
        effect=_resend_effect,
        carry_out=_resend,
        back=_deliveries_page,
    ),
    Act(
        path="replay",
        title="Post many deliveries again",
        button="Post again",
        fields=(
            Field(
                name="endpoint",
                label="Endpoint",
                is_required=False,
                hint='"end_…"; empty: every enabled one.',
            ),
            Field(name="start_time", label="Created from", kind=Kind.TIME),
            Field(
                name="end_time", label="Created before", kind=Kind.TIME, is_required=False, hint="Empty: now."
            ),
            Field(
                name="failed_only",
                label="Only those that failed",
                kind=Kind.FLAG,
                hint="Otherwise those that were accepted, too.",
            ),
        ),
        effect=_replay_effect,
        carry_out=_replay,
        back=_deliveries_page,
    ),
    Act(
        path="retry-dead-letter",
        title="Send a dead letter again",
        button="Send again",
        fields=(SERVICE, NOTICE),
        effect=_letter_effect,
        carry_out=_retry,
        back=_dead_letters_page,
    ),
    Act(
        path="drop-dead-letter",
        title="Give a dead letter up",
        button="Give it up",
        fields=(SERVICE, NOTICE, REASON),
        effect=_letter_effect,
        carry_out=_drop,
        back=_dead_letters_page,
        is_danger=True,
    ),
)
