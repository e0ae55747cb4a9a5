# SPDX-License-Identifier: Apache-2.0
"""Plumbing shared by all services, without business terms: time, ids, amounts, faults, database, outbox, gRPC."""
