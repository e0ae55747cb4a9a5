# SPDX-License-Identifier: Apache-2.0
"""Leases: calls decided in this process, from credits that the Ledger has reserved for it. See README.md beside it."""
