# SPDX-License-Identifier: Apache-2.0
"""Settings of the Catalog, from variables named PURSER_CATALOG_…"""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from meshkit.config import MeshSettings


class CatalogSettings(MeshSettings):
    """Addresses are host:port; those of peers are where they serve services.

    Contract's and Alert's are used in sandbox mode only, to advance their time.
    """

    model_config = SettingsConfigDict(env_prefix="PURSER_CATALOG_")

    listen: str = Field("127.0.0.1:7001", description="where to serve callers; port 0 is any free one")
    peer_listen: str = Field(
        "127.0.0.1:7011", description="where to serve the other services; port 0 is any free one"
    )
    contract_address: str = Field("127.0.0.1:7012", description="Contract")
    ledger_address: str = Field(
        "127.0.0.1:7013", description="Ledger, which receives usage products and rates"
    )
    alert_address: str = Field("127.0.0.1:7014", description="Alert")
