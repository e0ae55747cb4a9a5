# SPDX-License-Identifier: Apache-2.0
"""A durable Citus cluster of three servers that a test kills and starts again."""

from pathlib import Path

from sqlalchemy.engine import make_url

from deploy.citus import cluster
from tests.simulation.own_postgres import OwnPostgres

ADMINISTRATION = "citus"
SHARDS = 8
# Nodes log in to each other without passwords: for a machine of one's own only.
_TRUST = "host all all 127.0.0.1/32 trust\n"
SETTINGS = {
    "shared_preload_libraries": "citus",
    "wal_level": "logical",
    "max_prepared_transactions": "200",
    "citus.node_conninfo": "sslmode=prefer",
    # A transaction that a lost node has left prepared holds its locks for this long: deploy/citus/README.md.
    "citus.recover_2pc_interval": "2s",
}


class OwnCitus:
    """A coordinator and two workers on fixed ports. programs: the folder of a PostgreSQL 18 that has Citus."""

    def __init__(self, folder: Path, *, ports: tuple[int, int, int], programs: Path) -> None:
        access = folder / "pg_hba.conf"
        folder.mkdir(parents=True, mode=0o755)
        access.write_text(_TRUST)
        access.chmod(0o644)
        self._nodes = [
            OwnPostgres(
                folder / str(port),
                port=port,
                programs=programs,
                settings={**SETTINGS, "hba_file": str(access)},
            )
            for port in ports
        ]

    @property
    def admin_url(self) -> str:
        """Of the coordinator: the administrator's database, which knows the nodes."""
        url = make_url(self._nodes[0].admin_url).set(database=ADMINISTRATION)
        return url.render_as_string(hide_password=False)

    async def start(self) -> None:
        """Start the servers, and make them one cluster. Call `stop` afterwards, also when this raises."""
        for node in self._nodes:
            await node.start()
        await cluster.join([make_url(node.admin_url) for node in self._nodes], ADMINISTRATION)

    async def stop(self) -> None:
        for node in self._nodes:
            await node.stop()

    async def kill_and_start(self, node: int) -> None:
        """SIGKILL a node's postmaster, and start it again. node: 0 is the coordinator."""
        self._nodes[node].kill()
        await self._nodes[node].start()
