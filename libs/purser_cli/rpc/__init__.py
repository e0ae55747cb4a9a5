# SPDX-License-Identifier: Apache-2.0
"""A command for every rpc, made from its descriptor: names, options, requests, tables."""
