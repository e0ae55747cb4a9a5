# SPDX-License-Identifier: Apache-2.0
"""Settings of Alert, from variables named PURSER_ALERT_…"""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode, SettingsConfigDict

from meshkit.config import MeshSettings
from meshkit.keyring import SecretKey, keys_from_text
from services.alert.mail.server import MailSecurity, MailServer, sender_from_text


class AlertSettings(MeshSettings):
    """Addresses are host:port; those of peers are where they serve services.

    Catalog's and Contract's are used in sandbox mode only, to advance their time.
    """

    model_config = SettingsConfigDict(env_prefix="PURSER_ALERT_")

    listen: str = Field("127.0.0.1:7004", description="where to serve callers; port 0 is any free one")
    peer_listen: str = Field(
        "127.0.0.1:7014", description="where to serve the other services; port 0 is any free one"
    )
    catalog_address: str = Field("127.0.0.1:7011", description="Catalog")
    contract_address: str = Field("127.0.0.1:7012", description="Contract")
    ledger_address: str = Field(
        "127.0.0.1:7013", description="Ledger, which receives the thresholds to watch"
    )
    secret_keys: Annotated[tuple[SecretKey, ...], NoDecode, BeforeValidator(keys_from_text)] = Field(
        description="keys that encrypt webhook secrets, 32 bytes in base64 each; the first one encrypts, all decrypt"
    )
    allow_private_targets: bool = Field(
        False, description="post webhooks to private, loopback and link-local addresses as well"
    )
    smtp_host: str = Field("", description="mail server for endpoints of the kind EMAIL; empty: no mails")
    smtp_port: int = Field(587, ge=1, le=65_535, description="its port")
    smtp_security: MailSecurity = Field(
        MailSecurity.STARTTLS, description="STARTTLS, TLS (from the beginning, usually on port 465), or NONE"
    )
    smtp_ca_file: str = Field(
        "", description="authorities that sign the mail server's certificate, PEM; empty: the public ones"
    )
    smtp_user: str = Field("", description="user name at the mail server; empty: without signing in")
    smtp_password: SecretStr = Field(
        SecretStr(""), validate_default=True, description="password at the mail server"
    )
    smtp_sender: str = Field(
        "",
        validate_default=True,
        description="address that mails come from, such as alerts@vendor.example or Purser <alerts@vendor.example>",
    )

    @field_validator("smtp_password")
    @classmethod
    def _is_encrypted(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        if bool(password.get_secret_value()) != bool(info.data.get("smtp_user")):
            raise PydanticCustomError("pair", "must be set together with the user")
        if password.get_secret_value() and info.data.get("smtp_security") is MailSecurity.NONE:
            raise PydanticCustomError("plaintext", "must not be sent to a mail server without TLS")
        return password

    @field_validator("smtp_sender")
    @classmethod
    def _is_sender(cls, sender: str, info: ValidationInfo) -> str:
        if bool(sender) != bool(info.data.get("smtp_host")):
            raise PydanticCustomError("pair", "must be set together with the mail server")
        if sender and sender_from_text(sender) is None:
            raise PydanticCustomError("sender", "must be an address, or a name and <address>")
        return sender

    @property
    def mail_server(self) -> MailServer | None:
        """The mail server, if there is one."""
        sender = sender_from_text(self.smtp_sender)
        if sender is None:
            return None
        return MailServer(
            host=self.smtp_host,
            port=self.smtp_port,
            security=self.smtp_security,
            ca_file=self.smtp_ca_file,
            user=self.smtp_user,
            password=self.smtp_password.get_secret_value(),
            sender=sender,
        )
