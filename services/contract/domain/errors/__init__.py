# SPDX-License-Identifier: Apache-2.0
"""The faults of Contract, one class per reason in contract.proto."""
