# SPDX-License-Identifier: Apache-2.0
"""`purser usage import`: records a file of usage events, each exactly once."""
