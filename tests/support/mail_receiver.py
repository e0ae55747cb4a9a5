# SPDX-License-Identifier: Apache-2.0
"""A real SMTP server that keeps what it accepts, and can refuse, put off, fall silent and hang up."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

SENDER: Final = "Purser <alerts@vendor.example>"
SECONDS_MAX: Final = 60
ACCEPTED: Final = "250 accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """recipients: of the envelope: who gets it now."""

    message: EmailMessage
    raw: bytes
    sender: str
    recipients: list[str]

    def text(self, subtype: str = "plain") -> str:
        body = self.message.get_body((subtype,))
        assert body is not None
        content: str = body.get_content()
        return content.replace("\r\n", "\n")


class MailReceiver:
    """about: what it replies to RCPT of some recipients; data_reply: to the end of a message.

    hangs_up_at, is_silent_at: "RCPT" or "DATA", when it has read that; a message is kept all the same.
    asked: the recipients of all RCPT; names: of all EHLO.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        from_the_beginning: bool = False,
        logins: dict[str, str] | None = None,
    ) -> None:
        """tls: required after STARTTLS, or used from the beginning. logins: passwords by user; one is required."""
        self.about: dict[str, str] = {}
        self.data_reply = ACCEPTED
        self.hangs_up_at = ""
        self.is_silent_at = ""
        self.kept: asyncio.Queue[ReceivedMail] = asyncio.Queue()
        self.asked: list[str] = []
        self.names: list[str] = []
        self.port = 0
        self._tls = None if from_the_beginning else tls
        self._tls_at_once = tls if from_the_beginning else None
        self._logins = logins
        self._server: asyncio.Server | None = None
        self._silence = asyncio.Event()

    @property
    def settings(self) -> dict[str, Any]:
        """How an Alert reaches it, without TLS."""
        return {
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "smtp_security": "NONE",
            "smtp_sender": SENDER,
        }

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=self._tls_at_once)
        self.port = self._server.sockets[0].getsockname()[1]

    def speak(self) -> None:
        """Let those go on for whom it is silent."""
        self._silence.set()
        self._silence = asyncio.Event()

    async def stop(self) -> None:
        self.speak()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def next_mail(self) -> ReceivedMail:
        async with asyncio.timeout(SECONDS_MAX):
            return await self.kept.get()

    def _protocol(self) -> SMTP:
        return SMTP(
            self,
            loop=asyncio.get_running_loop(),
            hostname="mail.example",
            tls_context=self._tls,
            require_starttls=self._tls is not None,
            auth_required=self._logins is not None,
            authenticator=self._authenticate,
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        known = {} if self._logins is None else self._logins
        is_right = known.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=is_right, handled=False)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.names.append(hostname)
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked.append(address)
        await self._misbehave(server, "RCPT")
        reply = self.about.get(address, ACCEPTED)
        if reply == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        if self.data_reply == ACCEPTED:
            message = message_from_bytes(content, policy=default)
            assert isinstance(message, EmailMessage)
            self.kept.put_nowait(
                ReceivedMail(
                    message=message,
                    raw=content,
                    sender=envelope.mail_from or "",
                    recipients=list(envelope.rcpt_tos),
                )
            )
        await self._misbehave(server, "DATA")
        return self.data_reply

    async def _misbehave(self, server: SMTP, command: str) -> None:
        if self.hangs_up_at == command:
            assert server.transport is not None
            server.transport.close()
        if self.is_silent_at == command:
            await self._silence.wait()


@asynccontextmanager
async def running_mail_receiver(**options: Any) -> AsyncIterator[MailReceiver]:
    receiver = MailReceiver(**options)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
