# SPDX-License-Identifier: Apache-2.0
"""The mail server that Alert is configured with."""

from dataclasses import dataclass, field
from email.utils import parseaddr
from enum import StrEnum

from services.alert.domain.mail import is_mail_address


class MailSecurity(StrEnum):
    """STARTTLS: encrypted after a command in plaintext, or not used. TLS: from the beginning. NONE: plaintext."""

    STARTTLS = "STARTTLS"
    TLS = "TLS"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who mails come from. name: "" if there is none."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """How to reach it. ca_file: empty: the authorities of certifi. user: empty: without signing in."""

    host: str
    port: int
    security: MailSecurity
    ca_file: str
    user: str
    password: str = field(repr=False)
    sender: Sender


def sender_from_text(text: str) -> Sender | None:
    """Return the sender of "alerts@vendor.example" or "Purser <alerts@vendor.example>"; None if it is neither."""
    name, address = parseaddr(text)
    is_clean = text.isprintable() and is_mail_address(address)
    return Sender(name=name, address=address) if is_clean else None
