# SPDX-License-Identifier: Apache-2.0
"""One attempt of a delivery: lease it, post or mail it, record the result.

What several attempts need at the same time is leased, and recorded as accepted, in one transaction for all of them.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import assert_never

import structlog
from prometheus_client import Counter

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.together import Together
from services.alert.domain.delivery import (
    LEASE,
    SECRET_UNREADABLE,
    Acceptance,
    Answer,
    Attempt,
    DeliveryId,
    Due,
    FinalFailure,
    GoneEndpoint,
    Outcome,
    Retry,
    Verdict,
    error_of,
    judge,
)
from services.alert.domain.endpoint import (
    DisableReason,
    EndpointKind,
    Secret,
    WebhookEndpoint,
    WebhookEndpointId,
    signing_secrets,
)
from services.alert.domain.errors import WebhookSecretUnreadable
from services.alert.domain.mail import NO_MAIL_SERVER, MailAnswer, Reply, judge_mail
from services.alert.domain.slack import slack_body
from services.alert.mail.mailer import Mailer, Mailing
from services.alert.operations.disabling import disable, lock_endpoint
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore, Transaction
from services.alert.webhooks.metronome import metronome_body
from services.alert.webhooks.poster import Poster, Posting

# Of the pool's eight connections: the others are left to callers, however many webhooks are due.
TRANSACTIONS_MAX = 4
TOGETHER_MAX = 100

WEBHOOK_TRIES = Counter(
    "alert_webhook_tries", "Tries to post or mail a delivery, by what became of it.", ["result"]
)

log = structlog.get_logger(__name__)


class DeliveryAttempts:
    """At least once: after a crash between posting and recording, it is posted again with the same webhook-id.

    jitter: 0 to 1, a new value for each failed attempt. courier: is woken when an event is stored. mailer: None: mails
    wait.
    """

    def __init__(
        self,
        *,
        store: PostgresStore,
        poster: Poster,
        mailer: Mailer | None = None,
        wall: Clock,
        jitter: Callable[[], float],
        ids: Ids,
        courier: Courier,
    ) -> None:
        self._store = store
        self._ids = ids
        self._courier = courier
        self._poster = poster
        self._mailer = mailer
        self._wall = wall
        self._jitter = jitter
        self._places = asyncio.Semaphore(TRANSACTIONS_MAX)
        self._take = Together(self._take_all, items_max=TOGETHER_MAX)
        self._accept = Together(self._accept_all, items_max=TOGETHER_MAX)

    async def due(self, *, per_endpoint_max: int) -> Sequence[Due]:
        """Return due deliveries, at most `per_endpoint_max` of each endpoint."""
        async with self._store.transaction() as tx:
            return await tx.deliveries.due(at=self._wall.now(), per_endpoint_max=per_endpoint_max)

    async def attempt(self, delivery_id: DeliveryId) -> bool:
        """Make one attempt; False: none, because the delivery is leased or finished, or waits for the operator."""
        match await self._take(delivery_id):
            case Posting() as posting:
                await self._record(posting.attempt, await self._post(posting))
            case Mailing() as mailing:
                await self._record(mailing.attempt, await self._mail(mailing))
            case None:
                return False
        return True

    async def _take_all(self, delivery_ids: Sequence[DeliveryId]) -> Sequence[Posting | Mailing | None]:
        """Lease deliveries; None: see attempt."""
        taken: dict[DeliveryId, Posting | Mailing | None] = {}
        async with self._places, self._store.transaction() as tx:
            at = self._wall.now()
            attempts = await tx.deliveries.lease(delivery_ids, at=at, until=at + LEASE)
            endpoint_ids = {attempt.webhook_endpoint_id for attempt in attempts}
            endpoints = await tx.endpoints.some(endpoint_ids)
            secrets = await tx.endpoints.secrets(endpoint_ids, at=at)
            for attempt in attempts:
                endpoint = endpoints[attempt.webhook_endpoint_id]
                taken[attempt.delivery_id] = (
                    await self._mailing(tx, attempt, endpoint, at=at)
                    if endpoint.kind is EndpointKind.EMAIL
                    else await self._posting(
                        tx, attempt, endpoint, secrets[attempt.webhook_endpoint_id], at=at
                    )
                )
        return [taken.get(delivery_id) for delivery_id in delivery_ids]

    async def _mailing(
        self, tx: Transaction, attempt: Attempt, endpoint: WebhookEndpoint, *, at: datetime
    ) -> Mailing | None:
        if self._mailer is None:
            # It waits, without an attempt that would count, until the operator has configured one.
            await tx.deliveries.give_back(attempt, error=NO_MAIL_SERVER)
            log.error("mail_server_missing", delivery_id=attempt.delivery_id)
            return None
        return Mailing(attempt=attempt, recipients=endpoint.recipients, at=at)

    async def _posting(
        self,
        tx: Transaction,
        attempt: Attempt,
        endpoint: WebhookEndpoint,
        secrets: Sequence[Secret] | WebhookSecretUnreadable,
        *,
        at: datetime,
    ) -> Posting | None:
        try:
            if isinstance(secrets, WebhookSecretUnreadable):
                raise secrets
            headers = await tx.headers.get(endpoint.webhook_endpoint_id) if endpoint.header_names else ()
        except WebhookSecretUnreadable as unreadable:
            # It waits, without an attempt that would count, until the operator has put the key back.
            await tx.deliveries.give_back(attempt, error=SECRET_UNREADABLE)
            log.error("webhook_secret_unreadable", delivery_id=attempt.delivery_id, **unreadable.metadata)
            return None
        return Posting(
            attempt=attempt,
            url=endpoint.url,
            body=_body_for(endpoint.kind, attempt),
            is_metronome=endpoint.kind is EndpointKind.METRONOME,
            headers=headers,
            secrets=signing_secrets(secrets, at=at),
            at=at,
        )

    async def _post(self, posting: Posting) -> Outcome:
        try:
            answer = await self._poster.post(posting)
        except Exception as error:  # our bug; without a result it would be retried forever
            answer = Answer(error=_broken(posting.attempt, error))
        verdict = judge(posting.attempt, answer, at=self._wall.now(), jitter=self._jitter())
        return Outcome(verdict=verdict, answer=answer, is_success=isinstance(verdict, Acceptance))

    async def _mail(self, mailing: Mailing) -> Outcome:
        assert self._mailer is not None  # or nothing was taken
        try:
            answer = await self._mailer.mail(mailing)
        except Exception as error:  # our bug; without a result it would be retried forever
            answer = MailAnswer(problem=Reply(code=0, text=_broken(mailing.attempt, error)))
        return judge_mail(
            mailing.attempt, mailing.recipients, answer, at=self._wall.now(), jitter=self._jitter()
        )

    async def _record(self, attempt: Attempt, outcome: Outcome) -> None:
        at = self._wall.now()
        match outcome.verdict:
            case Acceptance():
                await self._accept((attempt, outcome.answer))
            case Retry(due_time=due):
                await self._fail(attempt, outcome, at=at, due=due)
            case FinalFailure():
                await self._fail(attempt, outcome, at=at, due=None)
            case GoneEndpoint():
                await self._end(attempt, outcome.answer, at=at)
            case _:
                assert_never(outcome.verdict)
        _log(attempt, outcome.answer, outcome.verdict)

    async def _accept_all(self, accepted: Sequence[tuple[Attempt, Answer]]) -> Sequence[None]:
        async with self._places, self._store.transaction() as tx:
            await tx.failures.end({attempt.webhook_endpoint_id for attempt, _ in accepted})
            await tx.deliveries.accepted(accepted, at=self._wall.now())
        return [None] * len(accepted)

    async def _fail(self, attempt: Attempt, outcome: Outcome, *, at: datetime, due: datetime | None) -> None:
        """Record a failure, and disable the endpoint if it has failed for too long. due: None: give up."""
        async with self._places, self._store.transaction() as tx:
            if outcome.is_success:  # a mail that some have got
                failures = None
                await tx.failures.end([attempt.webhook_endpoint_id])
            else:
                failures = await tx.failures.add(attempt.webhook_endpoint_id, at=at)
            if outcome.mailed is not None:
                await tx.deliveries.mailed(attempt, outcome.mailed)
            if due is None:
                await tx.deliveries.give_up(attempt, outcome.answer)
            else:
                await tx.deliveries.put_off(attempt, outcome.answer, due=due)
        if failures is not None and failures.is_too_long():
            await self._disable_failing(attempt.webhook_endpoint_id, at=at)

    async def _end(self, attempt: Attempt, answer: Answer, *, at: datetime) -> None:
        """Record that the endpoint is gone, and disable it."""
        await self._store.place_events()
        async with self._places, self._store.transaction() as tx:
            endpoint = await lock_endpoint(tx, attempt.webhook_endpoint_id)
            await tx.failures.add(attempt.webhook_endpoint_id, at=at)
            await tx.deliveries.give_up(attempt, answer)
            await disable(tx, endpoint, reason=DisableReason.GONE, at=at, ids=self._ids)
        self._courier.wake()

    async def _disable_failing(self, webhook_endpoint_id: WebhookEndpointId, *, at: datetime) -> None:
        """Disable an endpoint, unless it has accepted something or was enabled again meanwhile."""
        await self._store.place_events()
        async with self._places, self._store.transaction() as tx:
            endpoint = await lock_endpoint(tx, webhook_endpoint_id)
            failures = await tx.failures.lock(webhook_endpoint_id)
            if failures is None or not failures.is_too_long() or endpoint.disable_time is not None:
                return
            await disable(tx, endpoint, reason=DisableReason.FAILING, at=at, ids=self._ids)
        log.warning("webhook_endpoint_failing", webhook_endpoint_id=webhook_endpoint_id)
        self._courier.wake()


def _broken(attempt: Attempt, error: Exception) -> str:
    """Log a bug without a traceback, whose frames contain secrets, and return what the delivery log shows."""
    name = type(error).__name__
    log.error("webhook_posting_broken", delivery_id=attempt.delivery_id, error=name)
    return f"broken: {name}"


def _body_for(kind: EndpointKind, attempt: Attempt) -> str | None:
    """Return the body in the form that the endpoint wants; None: the payload itself."""
    match kind:
        case EndpointKind.SLACK:
            return slack_body(attempt.payload)
        case EndpointKind.METRONOME:
            return metronome_body(attempt.payload, attempt.delivery_id)
        case EndpointKind.WEBHOOK | EndpointKind.EMAIL:
            return None
        case _:
            assert_never(kind)


def _log(attempt: Attempt, answer: Answer, verdict: Verdict) -> None:
    known = {
        "delivery_id": attempt.delivery_id,
        "webhook_endpoint_id": attempt.webhook_endpoint_id,
        "attempts": attempt.attempts,
    }
    match verdict:
        case Acceptance():
            WEBHOOK_TRIES.labels("accepted").inc()
            log.info("webhook_delivered", status_code=answer.status_code, **known)
        case Retry(due_time=due):
            WEBHOOK_TRIES.labels("put_off").inc()
            log.warning("webhook_put_off", error=error_of(answer), due_time=due.isoformat(), **known)
        case FinalFailure():
            WEBHOOK_TRIES.labels("given_up").inc()
            log.warning("webhook_given_up", error=error_of(answer), **known)
        case GoneEndpoint():
            WEBHOOK_TRIES.labels("endpoint_gone").inc()
            log.warning("webhook_endpoint_gone", **known)
        case _:
            assert_never(verdict)
