# SPDX-License-Identifier: Apache-2.0
"""Protobuf to the Ledger's domain and back; every bad field of a request is named at once."""
