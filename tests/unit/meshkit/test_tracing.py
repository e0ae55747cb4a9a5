# SPDX-License-Identifier: Apache-2.0
"""Traces are off unless the settings name a collector; then the log names the trace."""

import json
import subprocess
import sys

import pytest
import structlog

from deploy.local.database import SOURCE_ROOT
from meshkit import tracing
from meshkit.log import configure
from meshkit.tracing import TracesNotInstalled, traces
from tests.support.trace_collector import TracesTo

NOBODY = "http://127.0.0.1:1"


def _logged(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    structlog.get_logger("test").info("noted")
    logged: dict[str, str] = json.loads(capsys.readouterr().err.splitlines()[-1])
    return logged


def test_events_within_a_span_name_their_trace_and_others_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    configure("ledger", json=True)

    with traces("ledger", TracesTo(NOBODY, 1.0)):
        outside = _logged(capsys)
        with tracing.span("work"):
            within = _logged(capsys)
            with tracing.span("part of it"):
                deeper = _logged(capsys)

    assert "trace_id" not in outside
    assert (len(within["trace_id"]), len(within["span_id"])) == (32, 16)
    assert deeper["trace_id"] == within["trace_id"]
    assert deeper["span_id"] != within["span_id"]


@pytest.mark.parametrize("settings", [TracesTo("", 1.0), TracesTo(NOBODY, 0.0)])
def test_without_a_collector_or_at_a_ratio_of_0_no_trace_begins(
    settings: TracesTo, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("ledger", json=True)

    with traces("ledger", settings), tracing.span("work"):
        logged = _logged(capsys)
        current = tracing.current()

    assert "trace_id" not in logged
    assert current is None


def test_a_service_without_a_collector_imports_nothing_of_opentelemetry() -> None:
    code = (
        "import sys, meshkit.process, services.ledger.app\n"
        "sys.exit(str(sorted(name for name in sys.modules if name.startswith('opentelemetry'))[:3] or ''))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=SOURCE_ROOT, capture_output=True, text=True, check=False
    )

    assert ended.stderr.strip() == ""


def test_a_collector_without_the_packages_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    monkeypatch.delitem(sys.modules, "meshkit.tracing.recorder", raising=False)

    with (
        pytest.raises(TracesNotInstalled, match=r"install purser\[traces\]"),
        traces("ledger", TracesTo(NOBODY, 1.0)),
    ):
        pass
