# SPDX-License-Identifier: Apache-2.0
"""`python -m services.edge [serve]`: settings from PURSER_EDGE_…, the system's clock, the routes."""

from meshkit.clock import SystemClock
from meshkit.process import front_command_line
from services.edge.app import open_edge
from services.edge.config import EdgeSettings

cli = front_command_line(
    "edge", EdgeSettings, open_edge, wall=SystemClock(), about="Edge: the routes that Metronome's SDK uses."
)

if __name__ == "__main__":
    cli()
