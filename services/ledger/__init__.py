# SPDX-License-Identifier: Apache-2.0
"""The Ledger: pools of credits, and the gate before every AI call."""
