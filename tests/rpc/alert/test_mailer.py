# SPDX-License-Identifier: Apache-2.0
"""How mails are sent: encrypted, with a password, and for a limited time."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.alert.domain.delivery import Attempt, DeliveryId, MailProgress
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.mail import Reply
from services.alert.mail.mailer import Mailing, SmtpMailer
from services.alert.mail.server import MailSecurity, MailServer, sender_from_text
from tests.support.mail_receiver import SENDER, MailReceiver, running_mail_receiver

ANN, BOB = "ann@vendor.example", "bob@vendor.example"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for "localhost" that signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([openssl, "req", *kind, *files, *subject], check=True, capture_output=True)
    return folder


def serving(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "certificate.pem", certificates / "key.pem")
    return context


def a_server(receiver: MailReceiver, **changes: object) -> MailServer:
    sender = sender_from_text(SENDER)
    assert sender is not None
    server = MailServer(
        host="localhost",
        port=receiver.port,
        security=MailSecurity.NONE,
        ca_file="",
        user="",
        password="",
        sender=sender,
    )
    return replace(server, **changes)  # type: ignore[arg-type]


def a_mailing(*recipients: str) -> Mailing:
    attempt = Attempt(
        delivery_id=DeliveryId("dlv_1"),
        webhook_endpoint_id=WebhookEndpointId("end_1"),
        attempts=1,
        tries=1,
        give_up_time=datetime.now(UTC),
        payload='{"type":"webhook.test","timestamp":"2025-06-01T00:00:00Z","data":{"webhook_endpoint_id":"end_1"}}',
    )
    return Mailing(attempt=attempt, recipients=recipients or (ANN,), at=datetime.now(UTC))


async def test_with_starttls_the_server_must_have_a_trusted_certificate(certificates: Path) -> None:
    async with running_mail_receiver(tls=serving(certificates)) as mails:
        own = str(certificates / "certificate.pem")
        trusting = SmtpMailer(a_server(mails, security=MailSecurity.STARTTLS, ca_file=own))
        others = SmtpMailer(a_server(mails, security=MailSecurity.STARTTLS))
        elsewhere = SmtpMailer(a_server(mails, security=MailSecurity.STARTTLS, ca_file=own, host="127.0.0.1"))

        refused = [await others.mail(a_mailing()), await elsewhere.mail(a_mailing())]
        assert mails.kept.empty()
        accepted = await trusting.mail(a_mailing())

        assert (await mails.next_mail()).recipients == [ANN]
    for answer in refused:
        assert answer.replies == {}
        assert answer.problem == Reply(code=0, text="no connection (the certificate was refused)")
    assert accepted.problem is None
    assert accepted.replies[ANN].is_acceptance


async def test_starttls_that_the_server_does_not_offer_is_not_done_without() -> None:
    async with running_mail_receiver() as mails:
        answer = await SmtpMailer(a_server(mails, security=MailSecurity.STARTTLS)).mail(a_mailing())

        assert mails.kept.empty()
    assert answer.replies == {}
    assert answer.problem is not None


async def test_tls_from_the_beginning(certificates: Path) -> None:
    async with running_mail_receiver(tls=serving(certificates), from_the_beginning=True) as mails:
        server = a_server(mails, security=MailSecurity.TLS, ca_file=str(certificates / "certificate.pem"))
        answer = await SmtpMailer(server).mail(a_mailing())
        refused = await SmtpMailer(replace(server, ca_file="")).mail(a_mailing())

        assert (await mails.next_mail()).recipients == [ANN]
    assert answer.problem is None
    assert refused.problem == Reply(code=0, text="no connection (the certificate was refused)")


async def test_a_wrong_password_is_not_the_recipients_fault(certificates: Path) -> None:
    async with running_mail_receiver(tls=serving(certificates), logins={"purser": "right"}) as mails:
        own = str(certificates / "certificate.pem")
        server = a_server(mails, security=MailSecurity.STARTTLS, ca_file=own, user="purser", password="right")
        wrong = await SmtpMailer(replace(server, password="hunter2")).mail(a_mailing())
        assert mails.kept.empty()
        right = await SmtpMailer(server).mail(a_mailing())

        assert (await mails.next_mail()).recipients == [ANN]
    assert wrong.replies == {}
    assert wrong.problem is not None
    assert wrong.problem.code == 535
    assert "hunter2" not in repr(server) + wrong.problem.text
    assert right.problem is None


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_a_silent_server_is_left_in_time(command: str) -> None:
    async with running_mail_receiver() as mails:
        mails.is_silent_at = command
        answer = await SmtpMailer(a_server(mails), seconds_max=0.2).mail(a_mailing())

    assert answer.replies == {}
    assert answer.problem == Reply(code=0, text="no answer in time")


async def test_a_server_that_never_greets_is_left_in_time() -> None:
    async with a_mute_server() as port:
        server = replace(a_server(MailReceiver()), port=port)
        answer = await SmtpMailer(server, seconds_max=0.2).mail(a_mailing())

    assert answer.problem == Reply(code=0, text="no answer in time")


async def test_nobody_is_mailed_to_who_needs_no_mail() -> None:
    mailing = a_mailing(ANN, BOB)
    done = MailProgress(accepted=frozenset([ANN]), refused={BOB: "550"})
    mailing = replace(mailing, attempt=replace(mailing.attempt, mailed=done))
    async with running_mail_receiver() as mails:
        answer = await SmtpMailer(a_server(mails)).mail(mailing)

        assert mails.names == []
    assert (answer.replies, answer.problem) == ({}, None)


async def test_a_long_name_without_spaces_stays_within_the_lines_of_smtp() -> None:
    mailing = a_mailing()
    payload = (
        '{"type":"alert.in_alarm","timestamp":"t","event_id":"evt_1","data":{"alert_name":"'
        + "ü" * 2_000
        + '"}}'
    )
    mailing = replace(mailing, attempt=replace(mailing.attempt, payload=payload))
    async with running_mail_receiver() as mails:
        await SmtpMailer(a_server(mails)).mail(mailing)
        raw = (await mails.next_mail()).raw

    assert max(map(len, raw.split(b"\r\n"))) <= 998


@asynccontextmanager
async def a_mute_server() -> AsyncIterator[int]:
    over = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        over.set()
        server.close()
        await server.wait_closed()
