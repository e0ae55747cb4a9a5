# SPDX-License-Identifier: Apache-2.0
"""Settings of Alert, from variables named PURSER_ALERT_…"""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from meshkit.config import MeshSettings


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
    allow_private_targets: bool = Field(
        False, description="post webhooks to private, loopback and link-local addresses as well"
    )
