# SPDX-License-Identifier: Apache-2.0
import signal

import pytest
from hypothesis import settings

from tests.support.postgres import databases, postgres_server
from tests.support.workers import Controller

__all__ = ["databases", "postgres_server"]

# An example may take long because the machine does other work; a test that hangs has a timeout of its own.
settings.register_profile("purser", deadline=None)
settings.load_profile("purser")


def pytest_configure(config: pytest.Config) -> None:
    # A suite started in the background inherits an ignored SIGINT and would pass it on, but some tests press Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Controller(), "purser-controller")
