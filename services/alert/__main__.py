# SPDX-License-Identifier: Apache-2.0
"""`python -m services.alert [serve|migrate]`: settings from PURSER_ALERT_…, the system's clock, the service."""

from meshkit.clock import SystemClock
from meshkit.process import command_line
from services.alert.app import open_service
from services.alert.config import AlertSettings

cli = command_line(
    "alert", AlertSettings, open_service, wall=SystemClock(), about="Alert: webhooks when credits run low."
)

if __name__ == "__main__":
    cli()
