# SPDX-License-Identifier: Apache-2.0
"""Settings of the portal, from variables named PURSER_PORTAL_…"""

import re
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from meshkit.config import FrontSettings

_SCRIPT = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?/[A-Za-z0-9./_-]*")
_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:\d+)?|'self'")


class PortalSettings(FrontSettings):
    """Addresses are host:port, where the services serve callers with tokens."""

    model_config = SettingsConfigDict(env_prefix="PURSER_PORTAL_")

    listen: str = Field("127.0.0.1:7005", description="where to serve the pages; port 0 is any free one")
    catalog_address: str = Field("127.0.0.1:7001", description="Catalog")
    contract_address: str = Field("127.0.0.1:7002", description="Contract")
    ledger_address: str = Field("127.0.0.1:7003", description="Ledger")
    alert_address: str = Field("127.0.0.1:7004", description="Alert")
    url: str = Field("", description="address at which browsers reach the portal; empty: as they ask for it")
    frame_ancestors: str = Field(
        "", description="origins of pages that may embed the portal, separated by spaces; empty: none"
    )
    stripe_js: str = Field(
        "https://js.stripe.com/v3/",
        description="where the page that saves a card loads Stripe.js from, if Contract has a publishable key",
    )
    theme_file: str = Field(
        "", description="CSS file that sets variables named --purser-…; empty: the default look"
    )

    @field_validator("url")
    @classmethod
    def _is_origin(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/")):
            raise PydanticCustomError("url", "must be an origin, such as https://billing.vendor.example")
        return url.rstrip("/")

    @field_validator("stripe_js")
    @classmethod
    def _is_script(cls, url: str) -> str:
        if not _SCRIPT.fullmatch(url):
            raise PydanticCustomError("script", "must be an address, such as https://js.stripe.com/v3/")
        return url

    @field_validator("frame_ancestors")
    @classmethod
    def _are_origins(cls, ancestors: str) -> str:
        if not all(_ORIGIN.fullmatch(one) for one in ancestors.split()):
            raise PydanticCustomError(
                "origins", "must be origins such as https://app.vendor.example, separated by spaces"
            )
        return " ".join(ancestors.split())

    @property
    def is_secure(self) -> bool:
        """Whether cookies are for https, or for embedding, which browsers allow only with the same attributes."""
        return self.url.startswith("https://") or bool(self.frame_ancestors)
