# SPDX-License-Identifier: Apache-2.0
"""Settings of the edge, from variables named PURSER_EDGE_…"""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from meshkit.config import FrontSettings


class EdgeSettings(FrontSettings):
    """Addresses are host:port, where the services serve callers with tokens."""

    model_config = SettingsConfigDict(env_prefix="PURSER_EDGE_")

    listen: str = Field("127.0.0.1:7006", description="where to serve the routes; port 0 is any free one")
    catalog_address: str = Field("127.0.0.1:7001", description="Catalog")
    contract_address: str = Field("127.0.0.1:7002", description="Contract")
    ledger_address: str = Field("127.0.0.1:7003", description="Ledger")
    alert_address: str = Field("127.0.0.1:7004", description="Alert")
    portal_url: str = Field(
        "", pattern=r"^(https?://.+)?$", description="where customers reach the portal; empty: no links to it"
    )
    link_key_folder: str = Field(
        "", description="folder of the key that signs links to the portal; empty: no links to it"
    )
    link_seconds: int = Field(3_600, ge=60, le=86_400, description="how long a link to the portal is valid")
