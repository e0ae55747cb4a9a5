# SPDX-License-Identifier: Apache-2.0
"""`python -m services.catalog [serve|migrate]`: settings from PURSER_CATALOG_…, the system's clock, the service."""

from meshkit.clock import SystemClock
from meshkit.process import command_line
from services.catalog.app import open_service
from services.catalog.config import CatalogSettings

cli = command_line(
    "catalog",
    CatalogSettings,
    open_service,
    wall=SystemClock(),
    about="The Catalog: what is sold and for how much.",
)

if __name__ == "__main__":
    cli()
