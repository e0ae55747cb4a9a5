# SPDX-License-Identifier: Apache-2.0
"""Billing: what is due is charged, and put on invoices."""
