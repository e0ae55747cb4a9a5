# SPDX-License-Identifier: Apache-2.0
"""How webhooks are posted: again after failures and crashes, by one of many, and to the right host only."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock, SystemClock
from meshkit.db import open_engine
from meshkit.ids import Ids
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from services.alert.app import Outside
from services.alert.domain.delivery import LEASE, Answer, Attempt, DeliveryId
from services.alert.domain.endpoint import Secret, SecretId, WebhookEndpointId, secret_text
from services.alert.store import PostgresStore
from services.alert.webhooks.poster import HttpPoster, Posting
from services.alert.webhooks.posting import TRANSACTIONS_MAX, DeliveryAttempts
from services.alert.webhooks.targets import CheckedTargets
from services.alert.webhooks.worker import POSTS_PER_ENDPOINT_MAX
from tests.support.alert import (
    Names,
    RunningAlert,
    a_crossing,
    a_keyring,
    an_alert,
    an_endpoint,
    deliveries_of,
    running_alert,
    running_receiver,
    until_delivery,
)
from tests.support.alert_store import Courier
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

SECOND = timedelta(seconds=1)
LOCAL = Names(
    {"127.0.0.1": ["127.0.0.1"], "hooks.example": ["127.0.0.1"], "two.example": ["::1", "127.0.0.1"]}
)


@pytest.fixture
def wall() -> ManualClock:
    """Stands at the machine's present: receivers refuse signatures that are older than 5 minutes."""
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def slow_motion(databases: Databases, wall: ManualClock) -> AsyncIterator[RunningAlert]:
    """An Alert whose wall clock stands still, and whose every backoff is as long as it may be."""
    async with running_alert(databases, wall=wall, outside=Outside(jitter=lambda: 1.0)) as running:
        yield running


def answered(status_code: int) -> Callable[[pb.Delivery], bool]:
    return lambda delivery: delivery.last_status_code == status_code


def a_posting(url: str) -> Posting:
    attempt = Attempt(
        delivery_id=DeliveryId("dlv_1"),
        webhook_endpoint_id=WebhookEndpointId("end_1"),
        attempts=1,
        tries=1,
        give_up_time=datetime.now(UTC),
        payload='{"type":"alert.in_alarm","data":{}}',
    )
    secret = Secret(
        secret_id=SecretId("sec_1"),
        webhook_endpoint_id=attempt.webhook_endpoint_id,
        text=secret_text(bytes(32)),
        create_time=datetime.now(UTC),
    )
    return Posting(attempt=attempt, url=url, secrets=(secret,), at=datetime.now(UTC))


async def test_a_failed_post_is_tried_again_after_the_backoff_with_the_same_id(
    slow_motion: RunningAlert, wall: ManualClock, receiver: WebhookReceiver
) -> None:
    alert, begun = slow_motion.stub, wall.now()
    await an_endpoint(alert, receiver)
    receiver.answer(500, 503, 429)
    low = await an_alert(alert)
    await slow_motion.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    for status_code, seconds in ((500, 1), (503, 2), (429, 4)):
        failed = await until_delivery(alert, low.alert_id, answered(status_code))
        assert failed.last_error == f"answered {status_code}"
        assert failed.next_attempt_time == timestamp(wall.now() + seconds * SECOND)
        wall.advance(seconds * SECOND)
        slow_motion.app.wake()

    events = [await receiver.next_event() for _ in range(4)]
    delivered = await until_delivery(
        alert, low.alert_id, lambda one: one.status == pb.DELIVERY_STATUS_DELIVERED
    )
    assert all(event.verified for event in events)
    assert len({(event.webhook_id, event.body) for event in events}) == 1
    stamps = [int(event.headers["webhook-timestamp"]) for event in events]
    assert stamps == [int((begun + seconds * SECOND).timestamp()) for seconds in (0, 1, 3, 7)]
    assert (delivered.attempts, delivered.last_status_code, delivered.last_error) == (4, 204, "")


async def test_a_redirect_is_not_followed(slow_motion: RunningAlert, receiver: WebhookReceiver) -> None:
    async with running_receiver() as elsewhere:
        await an_endpoint(slow_motion.stub, receiver)
        receiver.answer(307, location=elsewhere.url)
        low = await an_alert(slow_motion.stub)
        await slow_motion.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

        failed = await until_delivery(slow_motion.stub, low.alert_id, lambda one: one.last_status_code == 307)

        assert failed.status == pb.DELIVERY_STATUS_PENDING
        assert elsewhere.received == []


async def test_an_endpoint_that_is_down_is_tried_for_two_days_and_then_given_up(
    slow_motion: RunningAlert, wall: ManualClock, receiver: WebhookReceiver
) -> None:
    alert, begun = slow_motion.stub, wall.now()
    await an_endpoint(alert, receiver)
    await receiver.stop()
    low = await an_alert(alert)
    await slow_motion.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    tries = 1
    while wall.now() < begun + timedelta(days=2):
        pending = await until_delivery(
            alert,
            low.alert_id,
            lambda one, tries=tries: one.attempts == tries and one.last_error != "",  # type: ignore[misc]
        )
        next_time = pending.next_attempt_time.ToDatetime(UTC)
        if next_time == wall.now() + LEASE:
            continue  # the try is in hand, not recorded yet
        wall.advance_to(next_time)
        slow_motion.app.wake()
        tries += 1

    failed = await until_delivery(alert, low.alert_id, lambda one: one.status == pb.DELIVERY_STATUS_FAILED)
    assert wall.now() == begun + timedelta(days=2)
    assert not failed.HasField("next_attempt_time")
    assert failed.last_error.startswith("no connection")
    assert failed.attempts == tries == 23
    await receiver.start()


async def test_a_crash_between_posting_and_recording_posts_again_with_the_same_id(
    databases: Databases, wall: ManualClock, receiver: WebhookReceiver
) -> None:
    class Crash(BaseException):
        """The process is killed."""

    class CrashingPoster:
        async def post(self, posting: Posting) -> Answer:
            await real.post(posting)
            raise Crash

    outside = Outside(jitter=lambda: 1.0)
    async with running_alert(databases, wall=wall, outside=outside) as running:
        await an_endpoint(running.stub, receiver)
        low = await an_alert(running.stub)
        receiver.answer(503)
        await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
        first = await receiver.next_event()
        await until_delivery(running.stub, low.alert_id, answered(503))

    wall.advance(SECOND)
    real = HttpPoster(CheckedTargets(LOCAL, allow_private=True), connections_max=1, tls=None)
    engine = open_engine(databases.url("alert"), application_name="crashing")
    store = PostgresStore(engine, wall=wall, ids=Ids(wall), keyring=a_keyring())
    crashing = DeliveryAttempts(
        store=store,
        poster=CrashingPoster(),
        wall=wall,
        jitter=lambda: 1.0,
        ids=Ids(wall),
        courier=Courier(),
    )
    (due,) = await crashing.due(per_endpoint_max=4)
    with pytest.raises(Crash):
        await crashing.attempt(due.delivery_id)
    crashed = await receiver.next_event()
    await real.close()
    await engine.dispose()

    async with running_alert(databases, wall=wall, outside=outside) as running:
        (in_hand,) = await deliveries_of(running.stub, low.alert_id)
        assert (in_hand.status, in_hand.attempts) == (pb.DELIVERY_STATUS_PENDING, 2)
        assert in_hand.next_attempt_time == timestamp(wall.now() + LEASE)
        wall.advance(LEASE)
        running.app.wake()
        repeated = await receiver.next_event()
        delivered = await until_delivery(
            running.stub, low.alert_id, lambda one: one.status == pb.DELIVERY_STATUS_DELIVERED
        )

    assert {first.webhook_id, crashed.webhook_id, repeated.webhook_id} == {due.delivery_id}
    assert {first.body, crashed.body, repeated.body} == {delivered.payload.encode()}
    assert (delivered.attempts, repeated.verified) == (3, True)


async def test_two_services_on_one_database_do_not_post_twice(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    wall = SystemClock()
    async with running_alert(databases, wall=wall) as one, running_alert(databases, wall=wall) as other:
        await an_endpoint(one.stub, receiver)
        alerts = [await an_alert(one.stub, request_id=f"r{n}") for n in range(30)]

        async def observe(number: int) -> None:
            alert = (one, other)[number % 2]
            await alert.peer.ObserveCrossing(a_crossing(alerts[number], 1, in_alarm=True))
            one.app.wake()
            other.app.wake()

        await asyncio.gather(*(observe(number) for number in range(30)))
        events = [await receiver.next_event() for _ in range(30)]
        for made in alerts:
            done = await until_delivery(
                one.stub, made.alert_id, lambda one: one.status == pb.DELIVERY_STATUS_DELIVERED
            )
            assert done.attempts == 1

    assert len({event.webhook_id for event in events}) == 30
    assert len(receiver.received) == 30


async def test_an_endpoint_that_does_not_answer_holds_up_no_other(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    async with running_receiver() as silent:
        await an_endpoint(running.stub, silent, request_id="silent")
        await an_endpoint(running.stub, receiver, request_id="quick")
        silent.hold()
        alerts = [await an_alert(running.stub, request_id=f"r{n}") for n in range(20)]

        for made in alerts:
            await running.peer.ObserveCrossing(a_crossing(made, 1, in_alarm=True))

        told = {(await receiver.next_event()).data["alert_id"] for _ in range(20)}
        assert told == {made.alert_id for made in alerts}
        assert len(silent.received) <= POSTS_PER_ENDPOINT_MAX
        silent.release()
        assert {(await silent.next_event()).data["alert_id"] for _ in range(20)} == told


@pytest.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    poster = HttpPoster(
        CheckedTargets(LOCAL, allow_private=True), connections_max=4, tls=None, post_seconds_max=0.2
    )
    yield poster
    await poster.close()


async def test_a_receiver_that_takes_too_long_is_left(poster: HttpPoster, receiver: WebhookReceiver) -> None:
    receiver.hold()

    assert await poster.post(a_posting(receiver.url)) == Answer(error="no answer within 0.2 s")


async def test_a_receiver_that_answers_a_byte_at_a_time_is_left(poster: HttpPoster) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await reader.read(1)
        finally:
            writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        answer = await poster.post(a_posting(url))

    assert answer.status_code == 0
    assert answer.error


async def test_what_the_response_says_is_not_kept(poster: HttpPoster) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"customer-secret is not HTTP\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        answer = await poster.post(a_posting(url))

    assert answer == Answer(error="no answer: RemoteProtocolError")


async def test_the_next_address_is_tried_when_the_first_does_not_connect(
    poster: HttpPoster, receiver: WebhookReceiver
) -> None:
    assert await poster.post(a_posting(f"http://two.example:{receiver.port}/")) == Answer(status_code=204)
    assert receiver.received[0].headers["host"] == f"two.example:{receiver.port}"


async def test_cookies_are_not_kept(poster: HttpPoster) -> None:
    seen: list[bytes] = []

    async def set_cookie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; Path=/\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(set_cookie, "127.0.0.1", 0) as server:
        url = f"http://hooks.example:{server.sockets[0].getsockname()[1]}/"
        for _ in range(2):
            assert await poster.post(a_posting(url)) == Answer(status_code=204)

    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for hooks.example that signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([openssl, "req", *kind, *files, *subject], check=True, capture_output=True)
    return folder


async def test_over_tls_the_checked_address_must_prove_the_name_of_the_url(certificates: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificates / "certificate.pem", certificates / "key.pem")
    named: list[str | None] = []
    serving.sni_callback = lambda socket, name, context: named.append(name)
    trusting = ssl.create_default_context(cafile=str(certificates / "certificate.pem"))
    receiver = WebhookReceiver(tls=serving)
    await receiver.start()
    poster = HttpPoster(CheckedTargets(LOCAL, allow_private=True), connections_max=4, tls=trusting)
    try:
        right = await poster.post(a_posting(f"https://hooks.example:{receiver.port}/"))
        wrong = await poster.post(a_posting(f"https://two.example:{receiver.port}/"))
    finally:
        await poster.close()
        await receiver.stop()

    assert right == Answer(status_code=204)
    assert named == ["hooks.example", "two.example"]
    assert (wrong.status_code, len(receiver.received)) == (0, 1)
    assert "certificate" in wrong.error


async def test_many_webhooks_that_fail_at_once_leave_connections_to_callers(
    databases: Databases, slow_motion: RunningAlert, receiver: WebhookReceiver
) -> None:
    await an_endpoint(slow_motion.stub, receiver)
    alerts = [await an_alert(slow_motion.stub, request_id=f"alert-{n}") for n in range(TRANSACTIONS_MAX + 2)]
    receiver.answer(*[500] * len(alerts))
    receiver.hold()
    for alert in alerts:
        await slow_motion.peer.ObserveCrossing(a_crossing(alert, 1, in_alarm=True))
    for _ in alerts:
        await receiver.next_event()
    async with Sql.connected(databases.admin_url) as sql, sql.transaction():
        await sql.execute("SELECT FROM alert.deliveries FOR UPDATE")
        receiver.release()
        await sql.until_waiting(TRANSACTIONS_MAX)

        asked = pb.GetAlertRequest(alert_id=alerts[0].alert_id)
        answer = await slow_motion.stub.GetAlert(asked, timeout=1)

    assert answer.alert == alerts[0]
