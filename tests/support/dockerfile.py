# SPDX-License-Identifier: Apache-2.0
"""Carries out the steps of a Dockerfile in a plain folder, without a container engine.

Each stage has a folder, in which COPY puts what it copies, and RUN runs with the Python of this machine. Steps that
change the operating system of the image are left out. Absolute paths of the image work because everything is below
the argument PREFIX, which is given another value here.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from string import Template

_CHANGES_THE_SYSTEM = "apt-get "


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, such as RUN, and what follows it, as one line."""

    name: str
    text: str


@dataclass(slots=True, kw_only=True)
class Stage:
    """A stage as far as it is built. root: its folder. variables: ARG and ENV. left_out: commands that did not run."""

    base: str
    root: Path
    variables: dict[str, str]
    folder: str = "/"
    user: str = ""
    entrypoint: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def value(self, text: str) -> str:
        """Return `text` with its variables replaced, as the image has them."""
        return Template(text).safe_substitute(self.variables)

    def outside(self, path: str) -> Path:
        """Return where a path of the image is in the plain folder."""
        return self.root / str(PurePosixPath(self.folder) / self.value(path)).lstrip("/")

    @property
    def environment(self) -> dict[str, str]:
        """The variables for a process in the plain folder."""
        prefix = self.variables["PREFIX"]
        return {name: value.replace(prefix, f"{self.root}{prefix}") for name, value in self.variables.items()}


def steps(dockerfile: Path) -> Iterator[Step]:
    """Yield the instructions of a Dockerfile."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, text = line.strip().partition(" ")
            yield Step(name, text.strip())


def build(dockerfile: Path, *, context: Path, folder: Path, environment: Mapping[str, str]) -> Stage:
    """Build the last stage below `folder`. environment: of the commands, such as the PATH to Python."""
    stages: dict[str, Stage] = {}
    given: dict[str, str] = {}
    stage: Stage | None = None
    for step in steps(dockerfile):
        if step.name == "FROM":
            base, _, name = step.text.partition(" AS ")
            stage = Stage(base=base, root=folder / (name or "last"), variables={"PATH": environment["PATH"]})
            stages[name or "last"] = stage
        elif stage is None:
            given |= dict(one.split("=", 1) for one in shlex.split(step.text))
        else:
            _carry_out(step, stage, stages, context=context, given=given, environment=environment)
    return stages["last"]


def _carry_out(
    step: Step,
    stage: Stage,
    stages: Mapping[str, Stage],
    *,
    context: Path,
    given: Mapping[str, str],
    environment: Mapping[str, str],
) -> None:
    match step.name:
        case "ARG" if step.text in given:
            stage.variables[step.text] = given[step.text]
        case "ENV":
            stage.variables |= {
                name: stage.value(value)
                for name, value in (one.split("=", 1) for one in shlex.split(step.text))
            }
        case "WORKDIR":
            stage.folder = str(PurePosixPath(stage.folder) / stage.value(step.text))
            stage.outside(".").mkdir(parents=True, exist_ok=True)
        case "COPY":
            _copy(step, stage, stages, context)
        case "RUN" if step.text.startswith(_CHANGES_THE_SYSTEM):
            stage.left_out.append(step.text)
        case "RUN":
            done = subprocess.run(
                ["sh", "-c", step.text],
                cwd=stage.outside("."),
                env={**environment, **stage.environment},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step.text}\n{done.stdout}{done.stderr}"
        case "USER":
            stage.user = step.text
        case "ENTRYPOINT":
            stage.entrypoint = [str(one) for one in shlex.split(step.text.strip("[]").replace(",", " "))]
        case "ARG" | "CMD" | "HEALTHCHECK":
            pass  # an argument without a value; what the platform chooses
        case _:
            raise AssertionError(f"{step.name} is not known here")


def _copy(step: Step, stage: Stage, stages: Mapping[str, Stage], context: Path) -> None:
    *sources, target = step.text.split()
    into = stage.outside(target)
    if sources[0].startswith("--from="):
        other = stages[sources.pop(0).removeprefix("--from=")]
        for source in sources:
            shutil.copytree(other.outside(source), into, symlinks=True, dirs_exist_ok=True)
        return
    ignored = Ignored(context / "deploy/image/Dockerfile.dockerignore")
    for source in sources:
        assert ignored.sends(source), f"COPY {source}: Dockerfile.dockerignore leaves it out"
        origin = context / source
        if origin.is_dir():
            shutil.copytree(origin, into, symlinks=True, ignore=ignored.below(context), dirs_exist_ok=True)
        else:
            shutil.copy(origin, into / origin.name if into.is_dir() else into)


class Ignored:
    """What a .dockerignore leaves out: the last pattern that matches a path, or a folder above it, decides."""

    def __init__(self, file: Path) -> None:
        lines = [line.strip() for line in file.read_text().splitlines()]
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def covers(self, path: str) -> bool:
        """Whether a path, relative to the context, is left out."""
        parts = PurePosixPath(path).parts
        above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        verdict = False
        for pattern in self._patterns:
            regex = re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
            if any(re.fullmatch(regex, one) for one in above):
                verdict = not pattern.startswith("!")
        return verdict

    def sends(self, path: str) -> bool:
        """Whether a path, or something below it, is sent to the build."""
        return not self.covers(path) or any(one.startswith(f"!{path}/") for one in self._patterns)

    def below(self, context: Path) -> Callable[[str, list[str]], list[str]]:
        """Return the `ignore` of shutil.copytree."""

        def names(folder: str, children: list[str]) -> list[str]:
            inside = Path(folder).relative_to(context)
            return [one for one in children if not self.sends(str(inside / one))]

        return names
