# SPDX-License-Identifier: Apache-2.0
"""A child process that is heard, asked to stop, and never outlives us."""

import asyncio
import functools
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from deploy.local.fault import Fault

SOURCE_ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS_MAX = 20.0
CHUNK_BYTES = 65_536


class Child:
    """`python -m <module>`: each line it says is kept in `log` and given to `say`.

    on_death: told, in one line, when it ends and nobody had asked it to.
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
    ) -> None:
        self.name = name
        self.log = log
        self._module = module
        self._environment = dict(environment)
        self._say = say
        self._on_death = on_death
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._last_line = ""
        self._is_wanted = False

    @property
    def pid(self) -> int:
        """The process id. Only after start()."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it. Call from the main thread: the child is told to stop when the starting thread ends."""
        assert self._life is None or self._life.done()
        self._last_line = ""
        self._is_wanted = True
        self._process = await asyncio.create_subprocess_exec(
            *_until_we_end(),
            *(sys.executable, "-m", self._module),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            cwd=SOURCE_ROOT,
            # A session of its own: Ctrl-C in the terminal is for us, and we stop the children in good order.
            start_new_session=True,
        )
        self._life = asyncio.create_task(self._live(self._process))

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it has not ended after 20 s."""
        self._is_wanted = False
        if self._process is None or self._life is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(self._life), STOP_SECONDS_MAX)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, as a crash would; returns when it is gone."""
        self._is_wanted = False
        assert self._process is not None
        assert self._life is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._life

    async def _live(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        await self._listen(process.stdout)
        code = await process.wait()
        if self._is_wanted:
            how = f"exit code {code}" if code >= 0 else f"signal {-code}"
            said = self._last_line or "it said nothing"
            self._on_death(Fault(f"{self.name} stopped with {how}: {said} (its log: {self.log})"))

    async def _listen(self, output: asyncio.StreamReader) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab", buffering=0) as log:
            rest = b""
            while chunk := await output.read(CHUNK_BYTES):
                log.write(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._hear(line)
            self._hear(rest)

    def _hear(self, line: bytes) -> None:
        if text := line.decode(errors="replace").rstrip():
            self._last_line = text
            self._say(text)


@functools.cache
def _until_we_end() -> tuple[str, ...]:
    """The prefix that has the kernel stop a child when we are gone; empty where there is none (macOS)."""
    prefix = ("setpriv", "--pdeathsig", "TERM", "--")
    if shutil.which(prefix[0]) is None:
        return ()
    return (
        prefix if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0 else ()
    )
