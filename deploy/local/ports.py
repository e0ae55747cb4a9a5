# SPDX-License-Identifier: Apache-2.0
"""Ports for servers on this machine."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
# Below the ports that Linux (from 32768) and macOS (from 49152) give to outgoing connections, which could otherwise
# take a port between the moment when it is chosen and the moment when its server listens.
_FIRST: Final = 20_000
_COUNT: Final = 12_000


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free, and that no process of this user gets here for long.

    All processes take turns through the same ports: a server may need seconds until it listens.
    """
    turns = Path(tempfile.gettempdir()) / f"purser-ports-{os.getuid()}"
    with turns.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = int(file.read() or 0)
        while True:
            number = (number + 1) % _COUNT
            if is_free(_FIRST + number):
                break
        file.truncate(0)
        file.write(str(number))
        file.flush()
    return _FIRST + number


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
        return True
