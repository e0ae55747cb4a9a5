# SPDX-License-Identifier: Apache-2.0
"""purser.outbox.v1.DeadLetterService. Source of the rules: services/README.md, "Dead letters"."""

from functools import partial
from typing import Any

import grpc.aio

from meshkit.outbox import DeadLetter, Relay
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.server import RpcService
from purser.outbox.v1 import dead_letters_pb2 as pb
from purser.outbox.v1 import dead_letters_pb2_grpc

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DeadLetterService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]


def dead_letter_service(relay: Relay) -> RpcService:
    """Return DeadLetterService over the dead letters of a relay."""
    servicer = DeadLetterServicer(relay)
    return RpcService(
        SERVICE_NAME, partial(dead_letters_pb2_grpc.add_DeadLetterServiceServicer_to_server, servicer)
    )


class DeadLetterServicer(dead_letters_pb2_grpc.DeadLetterServiceServicer):
    """Lists, retries and drops the dead letters of one service."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        letters, total = await self._relay.dead_letters.oldest(include_ended=request.include_ended)
        return pb.ListDeadLettersResponse(dead_letters=[_to_wire(one) for one in letters], total=total)

    async def RetryDeadLetter(
        self, request: pb.RetryDeadLetterRequest, context: Context
    ) -> pb.RetryDeadLetterResponse:
        fields = Fields()
        fields.request_id(request.request_id)
        notice_id = fields.text("notice_id", request.notice_id)
        fields.check()
        return pb.RetryDeadLetterResponse(dead_letter=_to_wire(await self._relay.retry(notice_id)))

    async def DropDeadLetter(
        self, request: pb.DropDeadLetterRequest, context: Context
    ) -> pb.DropDeadLetterResponse:
        fields = Fields()
        fields.request_id(request.request_id)
        notice_id = fields.text("notice_id", request.notice_id)
        reason = fields.text("reason", request.reason)
        actor = fields.text("actor", request.actor)
        fields.check()
        dropped = await self._relay.drop(notice_id, reason=reason, actor=actor)
        return pb.DropDeadLetterResponse(dead_letter=_to_wire(dropped))


def _to_wire(letter: DeadLetter) -> pb.DeadLetter:
    return pb.DeadLetter(
        notice_id=letter.notice.notice_id,
        key=letter.notice.key,
        kind=letter.notice.kind,
        attempts=letter.attempts,
        last_error=letter.last_error,
        create_time=timestamp(letter.create_time),
        dead_time=timestamp(letter.dead_time),
        end_time=optional_timestamp(letter.end_time),
        drop_reason=letter.drop_reason,
        drop_actor=letter.drop_actor,
    )
