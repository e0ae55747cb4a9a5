# SPDX-License-Identifier: Apache-2.0
"""The portal as a process: it reads its settings, logs no token, and stops while browsers are connected."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from deploy.local.ports import HOST, free_port
from tests.support.metrics import documented, served
from tests.support.portal import Browser, PortalMesh, portal_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

# It takes a tenth of a second on an idle machine. A stream that did not end would be cut off after 5 s.
STOP_SECONDS_MAX = 4.0
COMMAND = (sys.executable, "-m", "services.portal")


@asynccontextmanager
async def process(settings: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await asyncio.create_subprocess_exec(
        *COMMAND, stderr=subprocess.PIPE, env={**os.environ, **settings}
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def _serving(running: asyncio.subprocess.Process) -> str:
    """Return the address of a portal that was just started."""
    assert running.stderr is not None
    started = None
    while started is None:
        line = await running.stderr.readline()
        assert line, "it ended"
        started = re.search(r"service_started\D+port=(\d+)", line.decode())
    return f"http://{HOST}:{started[1]}"


def environment(portal: PortalMesh) -> dict[str, str]:
    settings = portal_settings(portal.mesh)
    names = (
        "listen",
        "ca_file",
        "jwks",
        "catalog_address",
        "contract_address",
        "ledger_address",
        "alert_address",
    )
    return {f"PURSER_PORTAL_{name.upper()}": getattr(settings, name) for name in names}


async def test_it_stops_at_once_while_a_balance_is_looked_at_and_logs_no_token(portal: PortalMesh) -> None:
    token = portal.token()
    async with process({**environment(portal), "PURSER_PORTAL_DRAIN_SECONDS": "0"}) as running:
        address = await _serving(running)
        assert running.stderr is not None
        async with Browser(address) as browser:
            await browser.enter(f"/enter?token={token}")
            await browser.get("/nowhere")
            await browser.post("/leave", headers={"origin": "https://evil.example"})
            async with browser.stream("GET", "/balance/events") as stream:
                lines = stream.aiter_lines()
                await anext(lines)
                stopping = time.monotonic()
                running.terminate()
                rest = [line async for line in lines]
                stopped = time.monotonic()
        log = (await running.stderr.read()).decode()
        assert await running.wait() == 0

    assert stopped - stopping < STOP_SECONDS_MAX
    assert "event: session-ended" not in rest
    assert "form_refused" in log
    assert token[-20:] not in log


async def test_its_metrics_are_those_of_the_table_without_what_needs_a_database(portal: PortalMesh) -> None:
    at = f"{HOST}:{free_port()}"
    async with process({**environment(portal), "PURSER_PORTAL_METRICS_LISTEN": at}) as running:
        address = await _serving(running)
        async with Browser(address) as browser:
            await browser.get("/balance")
        found = await asyncio.to_thread(served, at)

    table = documented()
    assert found.kinds == {name: one.kind for name, one in table.items() if one.served_by == "all"}
    assert found.labels["mesh_http_requests_total"] == {table["mesh_http_requests_total"].labels}
    assert found.values["mesh_http_requests_total"] == found.values["mesh_http_seconds_count"] >= 1


async def test_missing_and_wrong_settings_are_reported_together() -> None:
    wrong = {
        "PURSER_PORTAL_URL": "billing.vendor.example",
        "PURSER_PORTAL_FRAME_ANCESTORS": "https://app.vendor.example; script-src *",
    }
    async with process(wrong) as running:
        _, said = await running.communicate()

    assert running.returncode == 2
    assert [line.partition(" (")[0] for line in said.decode().splitlines()] == [
        "PURSER_PORTAL_CA_FILE: is not set",
        "PURSER_PORTAL_JWKS: is not set",
        "PURSER_PORTAL_URL: must be an origin, such as https://billing.vendor.example",
        "PURSER_PORTAL_FRAME_ANCESTORS: must be origins such as https://app.vendor.example, separated by spaces",
    ]
