# SPDX-License-Identifier: Apache-2.0
"""Settings of the Ledger, from variables named PURSER_LEDGER_…"""

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from meshkit.config import MeshSettings


class LedgerSettings(MeshSettings):
    """Addresses are host:port. Catalog's and Contract's are used in the sandbox only, to pass its time on."""

    model_config = SettingsConfigDict(env_prefix="PURSER_LEDGER_")

    database_connections: int = Field(
        10, ge=2, le=200, description="connections to the database, at most; the gate keeps one for itself"
    )
    listen: str = Field("127.0.0.1:7003", description="where to serve; port 0 is any free one")
    catalog_address: str = Field("127.0.0.1:7001", description="Catalog")
    contract_address: str = Field("127.0.0.1:7002", description="Contract")
    alert_address: str = Field("127.0.0.1:7004", description="Alert, which is told of crossings")
    sweep_seconds: float = Field(1.0, gt=0, description="seconds between looks at what is due by the clock")
    workers: int = Field(1, ge=1, le=64, description="processes that share the port; 1 in the sandbox")
    metrics_listen: str = Field(
        "",
        pattern=r"^(.+:\d+)?$",
        description="where to serve /metrics over HTTP; worker n does at the port + n; empty: nowhere",
    )

    @field_validator("workers")
    @classmethod
    def _one_clock(cls, workers: int, info: ValidationInfo) -> int:
        if workers > 1 and info.data.get("sandbox"):
            raise PydanticCustomError(
                "one_clock",
                "must be 1 in sandbox mode, where time stands in one process and moves by AdvanceTime",
            )
        return workers
