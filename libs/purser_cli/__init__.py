# SPDX-License-Identifier: Apache-2.0
"""`purser`, the command line: a client of the services like any other.

See libs/purser_cli/README.md.
"""
