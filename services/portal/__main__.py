# SPDX-License-Identifier: Apache-2.0
"""`python -m services.portal [serve]`: settings from PURSER_PORTAL_…, the system's clock, the pages."""

from meshkit.clock import SystemClock
from meshkit.process import front_command_line
from services.portal.app import open_portal
from services.portal.config import PortalSettings

cli = front_command_line(
    "portal",
    PortalSettings,
    open_portal,
    wall=SystemClock(),
    about="Portal: pages for customers and operators.",
)

if __name__ == "__main__":
    cli()
