# SPDX-License-Identifier: Apache-2.0
"""A child process: its output is logged, it is stopped with SIGTERM, and it ends at the latest with this process."""

import asyncio
import functools
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.local.fault import Fault

SOURCE_ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS_MAX = 20.0
CHUNK_BYTES = 65_536


class Child:
    """`python -m <module> <arguments>`. Each line of its output is written to `log` and passed to `say`.

    on_death: called with a one-line Fault when the process ends without having been stopped. source: the folder of the
    code that it runs.
    """

    def __init__(
        self,
        name: str,
        module: str,
        environment: Mapping[str, str],
        *,
        log: Path,
        say: Callable[[str], None],
        on_death: Callable[[Fault], None],
        arguments: Sequence[str] = (),
        source: Path = SOURCE_ROOT,
    ) -> None:
        self.name = name
        self.log = log
        self._module = module
        self._arguments = tuple(arguments)
        self._environment = dict(environment)
        self._say = say
        self._on_death = on_death
        self._source = source
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._last_line = ""
        self._should_run = False

    @property
    def pid(self) -> int:
        """The process id. Only after start()."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it. Call this from the main thread: the kernel stops the child when the starting thread ends."""
        assert self._watcher is None or self._watcher.done()
        self._last_line = ""
        self._should_run = True
        self._process = await asyncio.create_subprocess_exec(
            *_parent_death_prefix(),
            *(sys.executable, "-m", self._module, *self._arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            cwd=self._source,
            # A separate session: Ctrl-C in the terminal reaches only this process, which stops the children in order.
            start_new_session=True,
        )
        self._watcher = asyncio.create_task(self._watch(self._process))

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it has not ended after 20 s."""
        self._should_run = False
        if self._process is None or self._watcher is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(self._watcher), STOP_SECONDS_MAX)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, to simulate a crash. Returns when the process has ended."""
        self._should_run = False
        assert self._process is not None
        assert self._watcher is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._watcher

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        await self._read_output(process.stdout)
        code = await process.wait()
        if self._should_run:
            how = f"exit code {code}" if code >= 0 else f"signal {-code}"
            last_line = self._last_line or "no output"
            self._on_death(Fault(f"{self.name} stopped with {how}: {last_line} (its log: {self.log})"))

    async def _read_output(self, output: asyncio.StreamReader) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab", buffering=0) as log:
            rest = b""
            while chunk := await output.read(CHUNK_BYTES):
                log.write(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._report(line)
            self._report(rest)

    def _report(self, line: bytes) -> None:
        if text := line.decode(errors="replace").rstrip():
            self._last_line = text
            self._say(text)


@functools.cache
def _parent_death_prefix() -> tuple[str, ...]:
    """Return the command prefix that makes the kernel stop a child when this process ends; empty on macOS."""
    prefix = ("setpriv", "--pdeathsig", "TERM", "--")
    if shutil.which(prefix[0]) is None:
        return ()
    return (
        prefix if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0 else ()
    )
