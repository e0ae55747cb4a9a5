# SPDX-License-Identifier: Apache-2.0
"""One mail to the mail server, and what it replied about each recipient. Passwords are never logged."""

import asyncio
import json
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import aiosmtplib
import httpx

from services.alert.domain.delivery import POST_SECONDS_MAX, Attempt
from services.alert.domain.mail import MailAnswer, Reply, unmailed
from services.alert.mail.message import message_of
from services.alert.mail.render import render_mail
from services.alert.mail.server import MailSecurity, MailServer

COMMAND_SECONDS_MAX: Final = 5.0
QUIT_SECONDS_MAX: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """The content of one attempt. recipients: of the endpoint, also those who have it already. at: wall time."""

    attempt: Attempt
    recipients: tuple[str, ...]
    at: datetime


class Mailer(Protocol):
    """Sends mails."""

    async def mail(self, mailing: Mailing) -> MailAnswer:
        """Send once, to those who do not have it. Returns every outcome, also a failure."""
        ...


class SmtpMailer:
    """One connection and one transaction per attempt, 10 s in total."""

    def __init__(self, server: MailServer, *, seconds_max: float = POST_SECONDS_MAX) -> None:
        self._server = server
        self._seconds_max = seconds_max
        if server.ca_file:
            self._tls = ssl.create_default_context(cafile=server.ca_file)
        else:
            self._tls = httpx.create_ssl_context(trust_env=False)

    async def mail(self, mailing: Mailing) -> MailAnswer:
        waiting = unmailed(mailing.recipients, mailing.attempt.mailed)
        if not waiting:
            return MailAnswer()
        event = json.loads(mailing.attempt.payload)
        message = message_of(
            render_mail(mailing.attempt.payload),
            # Edges of a version before events had ids.
            event_id=event.get("event_id", mailing.attempt.delivery_id),
            event_type=event["type"],
            sender=self._server.sender,
            recipients=mailing.recipients,
            at=mailing.at,
        )
        replies: dict[str, Reply] = {}
        try:
            async with asyncio.timeout(self._seconds_max):
                await self._transact(message, waiting, replies)
        except aiosmtplib.SMTPResponseException as error:
            return MailAnswer(replies=replies, problem=Reply(code=error.code, text=error.message))
        except TimeoutError:
            return MailAnswer(replies=replies, problem=_no("no answer in time"))
        except ssl.SSLError:
            return MailAnswer(replies=replies, problem=_no("no connection (the certificate was refused)"))
        except aiosmtplib.SMTPServerDisconnected:
            return MailAnswer(replies=replies, problem=_no("the connection was closed"))
        except aiosmtplib.SMTPConnectError as error:
            refused = " (the certificate was refused)" if "certificate" in str(error).lower() else ""
            return MailAnswer(replies=replies, problem=_no(f"no connection{refused}"))
        except (aiosmtplib.SMTPException, OSError) as error:
            return MailAnswer(replies=replies, problem=_no(f"no answer: {type(error).__name__}"))
        return MailAnswer(replies=replies)

    async def _transact(self, message: bytes, recipients: Sequence[str], replies: dict[str, Reply]) -> None:
        """Send a message, and fill in the replies. Raises what aiosmtplib raises, for those without a reply."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            local_hostname=server.sender.domain,
            timeout=COMMAND_SECONDS_MAX,
            use_tls=server.security is MailSecurity.TLS,
            start_tls=server.security is MailSecurity.STARTTLS,
            tls_context=None if server.security is MailSecurity.NONE else self._tls,
        )
        try:
            await client.connect()
            await client.mail(server.sender.address)
            offered = []
            for address in recipients:
                try:
                    await client.rcpt(address)
                except aiosmtplib.SMTPRecipientRefused as refused:
                    replies[address] = Reply(code=refused.code, text=refused.message)
                else:
                    offered.append(address)
            if offered:
                # The last word about all of them; without it, it is unknown whether they have the mail.
                reply = await _data(client, message, seconds_max=self._seconds_max)
                replies.update(dict.fromkeys(offered, reply))
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=QUIT_SECONDS_MAX)
        finally:
            client.close()


async def _data(client: aiosmtplib.SMTP, message: bytes, *, seconds_max: float) -> Reply:
    try:
        response = await client.data(message, timeout=seconds_max)
    except aiosmtplib.SMTPDataError as refused:
        return Reply(code=refused.code, text=refused.message)
    return Reply(code=response.code, text=response.message)


def _no(text: str) -> Reply:
    return Reply(code=0, text=text)
