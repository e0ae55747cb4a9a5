# SPDX-License-Identifier: Apache-2.0
"""The operator's command line, `python -m purser_cli`: a client of the services like any other.

See libs/purser_cli/README.md.
"""
