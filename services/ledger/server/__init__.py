# SPDX-License-Identifier: Apache-2.0
"""The gRPC services of the Ledger, a servicer per audience: the gate, operators (admin), other services (peer)."""
