# SPDX-License-Identifier: Apache-2.0
"""Settings of the Ledger, from variables named PURSER_LEDGER_…"""

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from meshkit.config import MeshSettings


class LedgerSettings(MeshSettings):
    """Addresses are host:port; those of peers are where they serve services.

    Catalog's is used in sandbox mode only, to advance its clock.
    """

    model_config = SettingsConfigDict(env_prefix="PURSER_LEDGER_")

    database_connections: int = Field(
        10,
        ge=2,
        le=200,
        description="maximum number of connections to the database; below 4, the gate shares some with others",
    )
    listen: str = Field("127.0.0.1:7003", description="where to serve callers; port 0 is any free one")
    peer_listen: str = Field(
        "127.0.0.1:7013", description="where to serve the other services; port 0 is any free one"
    )
    catalog_address: str = Field("127.0.0.1:7011", description="Catalog")
    contract_address: str = Field("127.0.0.1:7012", description="Contract, which tops pools up")
    alert_address: str = Field("127.0.0.1:7014", description="Alert, which receives crossings")
    sweep_seconds: float = Field(
        1.0, gt=0, description="seconds between two sweeps for what is due by the clock"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that share the port; 1 in the sandbox")
    metrics_listen: str = Field(
        "",
        pattern=r"^(.+:\d+)?$",
        description="address of /metrics over HTTP; worker n serves it on port + n; empty: not served",
    )

    @field_validator("workers")
    @classmethod
    def _one_clock(cls, workers: int, info: ValidationInfo) -> int:
        if workers > 1 and info.data.get("sandbox"):
            raise PydanticCustomError(
                "one_clock",
                "must be 1 in sandbox mode, where AdvanceTime moves the clock of one process",
            )
        return workers
