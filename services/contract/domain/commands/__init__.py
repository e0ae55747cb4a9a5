# SPDX-License-Identifier: Apache-2.0
"""The commands, one per rpc that writes, and the results of the operations.

fingerprint: the hash of the request as received. It shows whether a repeated request_id has another body.
"""
