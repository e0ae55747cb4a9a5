# SPDX-License-Identifier: Apache-2.0
"""A small file system of its own for PostgreSQL's data, which a fault fills up.

It is a tmpfs in a mount namespace of this run, so nothing of it is left afterwards, and no other process sees it.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OWN_MOUNTS = "PURSER_CHAOS_OWN_MOUNTS"
# As root, a mount namespace is enough; others become root of a user namespace first, where the system allows it.
WAYS = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))
NOT_HERE = "no full disk: this needs a mount namespace (unshare --user --mount), which is not allowed here"
PIECE_BYTES = 1 << 20


def restart_with_own_mounts(arguments: Sequence[str]) -> None:
    """Run this Python program again in its own mount namespace. Returns where that is not possible, or already done."""
    if is_possible():
        return
    for way in WAYS:
        try:
            probe = subprocess.run(
                [*way, "mount", "-t", "tmpfs", "-o", "size=1m", "purser", "/tmp"],
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            return
        if probe.returncode == 0:
            os.environ[OWN_MOUNTS] = "1"
            os.execvp(way[0], [*way, sys.executable, *arguments])


def is_possible() -> bool:
    """Whether this process may mount, and nobody else sees it."""
    return OWN_MOUNTS in os.environ


class SmallDisk:
    """A file system of `size_megabytes`. filler: the file that fills it."""

    def __init__(self, folder: Path, size_megabytes: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir(parents=True, mode=0o700)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_megabytes}m,mode=0700", "purser-chaos", str(folder)],
            check=True,
        )

    def fill(self) -> None:
        """Take all the space that is free now; call it again for what others have freed since."""
        for piece_bytes in (PIECE_BYTES, 4_096):
            self._append(piece_bytes)

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _append(self, piece_bytes: int) -> None:
        file = os.open(self._filler, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while True:
                os.posix_fallocate(file, os.fstat(file).st_size, piece_bytes)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        finally:
            os.close(file)
