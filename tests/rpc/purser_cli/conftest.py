# SPDX-License-Identifier: Apache-2.0
"""One mesh with Acme for all tests of a module, which are marked `asyncio(loop_scope="module")`, and its users."""

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import structlog

from tests.support.command_line import CommandLine
from tests.support.mesh import Acme, SwitchedMesh, acme_at, secured
from tests.support.postgres import Databases, PostgresServer, own_database


@pytest.fixture(autouse=True)
def services_log_elsewhere() -> Iterator[None]:
    """Services of this process would log into the output of a command."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.reset_defaults()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandMesh:
    """A running mesh that demands tokens, and its customer Acme."""

    mesh: SwitchedMesh
    acme: Acme
    databases: Databases

    async def execute(self, statement: str) -> None:
        """Run SQL as the administrator."""
        inside = await asyncpg.connect(self.databases.admin_url)
        try:
            await inside.execute(statement)
        finally:
            await inside.close()

    def user(self, home: Path, *roles: str, token: str = "", **more: str) -> CommandLine:
        """Return a user whose variables name the mesh and a token of these roles."""
        assert self.mesh.access is not None
        identity = self.mesh.access.identity
        addresses = [f"--address={service}={address}" for service, address in self.mesh.addresses.items()]
        made = token or identity.token(
            *(roles or ("operator", "payments", "security", "usage")), subject="ann"
        )
        variables = {"PURSER_TOKEN": made, "PURSER_CA_FILE": str(identity.files.authority)}
        return CommandLine(home=home, variables={**variables, **more}, before=tuple(addresses))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CommandMesh]:
    async with own_database(postgres_server) as databases:
        access = secured(tmp_path_factory.mktemp("access"))
        async with SwitchedMesh(databases, access=access) as mesh:
            await mesh.start()
            async with acme_at(mesh.addresses, access.identity) as acme:
                yield CommandMesh(mesh=mesh, acme=acme, databases=databases)


@pytest.fixture
def user(running: CommandMesh, tmp_path: Path) -> CommandLine:
    """The operator ann."""
    return running.user(tmp_path)
