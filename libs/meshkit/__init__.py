# SPDX-License-Identifier: Apache-2.0
"""Plumbing of the house, without one business noun: time, ids, amounts, faults, database, outbox, gRPC."""
