# SPDX-License-Identifier: Apache-2.0
"""The one kind of failure that `deploy.local` reports by itself."""


class Fault(Exception):
    """Something the person at the terminal can put right.

    Its text is one line: what is wrong, and what to do about it. The command line prints it and exits with 1.
    """
