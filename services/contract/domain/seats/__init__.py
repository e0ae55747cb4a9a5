# SPDX-License-Identifier: Apache-2.0
"""Seats: their number over time, and requests to change it."""
