# SPDX-License-Identifier: Apache-2.0
"""The form of a mail (RFC 5322, MIME)."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from services.alert.mail.render import RenderedMail
from services.alert.mail.server import Sender


def message_of(
    mail: RenderedMail,
    *,
    event_id: str,
    event_type: str,
    sender: Sender,
    recipients: tuple[str, ...],
    at: datetime,
) -> bytes:
    """Return the mail as bytes. at: wall time of this attempt.

    Its Message-ID is the same at every attempt, and for all endpoints, so mail systems can recognize repeats.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(sender.name, addr_spec=sender.address)
    message["To"] = ", ".join(recipients)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{event_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic replies
    message["X-Purser-Event-Type"] = event_type
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message.as_bytes()
