# SPDX-License-Identifier: Apache-2.0
"""The exception that `deploy.local` reports to the user."""


class Fault(Exception):
    """A failure that the user at the terminal can fix.

    Its text is one line: what is wrong, and how to fix it. The command line prints it and exits with 1.
    """
