# SPDX-License-Identifier: Apache-2.0
"""The sandbox: one business clock for the whole mesh, which changes only when an rpc advances it."""

from sandbox.clock import SandboxClock
from sandbox.servicer import SERVICE_NAME, ClockServicer
from sandbox.table import load_sandbox_time, restore_time, sandbox_clock_table, save_sandbox_time

__all__ = [
    "SERVICE_NAME",
    "ClockServicer",
    "SandboxClock",
    "load_sandbox_time",
    "restore_time",
    "sandbox_clock_table",
    "save_sandbox_time",
]
