# SPDX-License-Identifier: Apache-2.0
"""Settings of Alert, from variables named PURSER_ALERT_…"""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from meshkit.config import MeshSettings
from meshkit.keyring import SecretKey, keys_from_text


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
