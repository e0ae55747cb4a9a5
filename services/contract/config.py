# SPDX-License-Identifier: Apache-2.0
"""Settings of Contract, from variables named PURSER_CONTRACT_…"""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from meshkit.config import MeshSettings


class ContractSettings(MeshSettings):
    """Addresses are host:port; those of peers are where they serve services."""

    model_config = SettingsConfigDict(env_prefix="PURSER_CONTRACT_")

    listen: str = Field("127.0.0.1:7002", description="where to serve callers; port 0 is any free one")
    peer_listen: str = Field(
        "127.0.0.1:7012", description="where to serve the other services; port 0 is any free one"
    )
    catalog_address: str = Field("127.0.0.1:7011", description="Catalog, the source of prices")
    ledger_address: str = Field(
        "127.0.0.1:7013", description="Ledger, which receives everything that adds credits"
    )
    alert_address: str = Field("127.0.0.1:7014", description="Alert, which receives events for webhooks")
    due_interval_seconds: float = Field(
        1.0, gt=0, description="how often to look for what is due to be billed"
    )
    usage_grace_seconds: float = Field(
        86_400.0, ge=0, le=14 * 86_400, description="how long after its end a usage period is invoiced"
    )
    usage_interval_seconds: float = Field(
        86_400.0, ge=1, le=14 * 86_400, description="how often a draft follows usage by itself"
    )
    usage_group_key: str = Field(
        "user_id", min_length=1, max_length=64, description="the property that identifies who used"
    )
    stripe_api_key: SecretStr = Field(
        SecretStr(""), description="secret key of the Stripe account; empty: no payments through Stripe"
    )
    stripe_publishable_key: str = Field(
        "",
        description="publishable key of the Stripe account, which CreatePaymentSetup passes on to the browser",
    )
    stripe_webhook_secrets: SecretStr = Field(
        SecretStr(""),
        description="signing secrets of the webhook endpoint at Stripe, by comma; two while one replaces another",
    )
    stripe_api_base: str = Field("https://api.stripe.com", description="where Stripe's API is")
    payment_webhook_listen: str = Field(
        "", pattern=r"^(.+:\d+)?$", description="host:port for Stripe's webhooks over HTTP; empty: not served"
    )
