# SPDX-License-Identifier: Apache-2.0
"""Wall clocks of processes that can be set while they run, without any part in the product: by a preloaded library.

It covers everything in the process that asks the C library for the time: Python, gRPC, TLS (validity of certificates)
and OpenSSL. Time that the kernel itself stamps, such as on files, stays true.
"""

import struct
import subprocess
from datetime import timedelta
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_offset.c")
COMPILERS = ("cc", "gcc", "clang")


def build_library(folder: Path) -> Path | None:
    """Compile the library into `folder`; None: no C compiler works here."""
    library = folder / "clock_offset.so"
    for compiler in COMPILERS:
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)]
        try:
            built = subprocess.run(command, capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if built.returncode == 0:
            return library
    return None


class SetClock:
    """The clock of one process, as an offset to the true time. environment: what the process must be started with."""

    def __init__(self, library: Path | None, file: Path) -> None:
        self._file = file
        self.set(timedelta(0))
        self.environment = (
            {} if library is None else {"LD_PRELOAD": str(library), "CHAOS_CLOCK_FILE": str(file)}
        )

    def set(self, offset: timedelta) -> None:
        """Let the process's wall clock jump to this offset (> 0: ahead)."""
        nanoseconds = offset // timedelta(microseconds=1) * 1_000
        with self._file.open("r+b" if self._file.exists() else "xb") as file:
            file.write(struct.pack("=q", nanoseconds))
