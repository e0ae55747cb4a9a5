# SPDX-License-Identifier: Apache-2.0
"""`python -m services.contract [serve|migrate]`: settings from PURSER_CONTRACT_…, the system's clock, the service."""

from meshkit.clock import SystemClock
from meshkit.process import command_line
from services.contract.app import open_service
from services.contract.config import ContractSettings

cli = command_line(
    "contract",
    ContractSettings,
    open_service,
    wall=SystemClock(),
    about="Contract: who buys what, and what it costs.",
)

if __name__ == "__main__":
    cli()
