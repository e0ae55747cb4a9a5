# SPDX-License-Identifier: Apache-2.0
"""gRPC: server, client, fault mapping, field checks. Import the module you need; this package imports none of them."""
