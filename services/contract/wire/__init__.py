# SPDX-License-Identifier: Apache-2.0
"""Protobuf to domain and back, field checks included; pure. One file per rpc family."""
