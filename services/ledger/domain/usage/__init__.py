# SPDX-License-Identifier: Apache-2.0
"""Usage: meters, reported events, reports."""
