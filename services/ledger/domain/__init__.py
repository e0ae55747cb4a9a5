# SPDX-License-Identifier: Apache-2.0
"""The rules of the Ledger, pure: no clock, no randomness, no I/O."""
