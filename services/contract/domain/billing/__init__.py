# SPDX-License-Identifier: Apache-2.0
"""Billing: what a subscription owes, and when."""
