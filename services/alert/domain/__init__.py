# SPDX-License-Identifier: Apache-2.0
"""The pure rules of Alert, one noun per file: no I/O, no clock, no new ids."""
