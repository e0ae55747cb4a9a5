# SPDX-License-Identifier: Apache-2.0
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from meshkit import db
from meshkit.db import SESSION_SETTINGS
from meshkit.rpc import client
from tests.citus.recording import STATEMENTS, Recorder
from tests.support.postgres import CITUS_URL, databases, postgres_server
from tests.support.workers import Controller

__all__ = ["databases", "postgres_server"]

# An example may take long because the machine does other work; a test that hangs has a timeout of its own.
settings.register_profile("purser", deadline=None)
settings.load_profile("purser")

# A busy machine may stand still for longer than services in production wait: 3 s for a lock, 5 s for a statement or a
# pooled connection, 10 s for a call. The services and callers of a test wait longer, unless it is marked; processes of
# a mesh as in production.
SESSION_SETTINGS.update(lock_timeout="60000", statement_timeout="60000")
db.POOL_WAIT_SECONDS_MAX = 60.0
client.CALL_SECONDS_MAX = 60.0


@pytest.fixture(autouse=True)
def limits_of_waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the session settings that a test is marked with: `pytest.mark.session_settings(lock_timeout="200")`."""
    if marker := request.node.get_closest_marker("session_settings"):
        for name, value in marker.kwargs.items():
            monkeypatch.setitem(SESSION_SETTINGS, name, value)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that is marked `plain_postgres("reason")` if the run's server is a Citus cluster."""
    if CITUS_URL in os.environ and (marker := item.get_closest_marker("plain_postgres")):
        pytest.skip(marker.args[0])


def pytest_configure(config: pytest.Config) -> None:
    # A suite started in the background inherits an ignored SIGINT and would pass it on, but some tests press Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Controller(), "purser-controller")
    if folder := os.environ.get(STATEMENTS):
        config.pluginmanager.register(Recorder(Path(folder)), "purser-statements")
