# SPDX-License-Identifier: Apache-2.0
"""A source file as the rules see it: its path, its imports, its calls and its strings."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
GENERATED_FOLDERS = {
    *(".git", ".venv", ".purser", "__pycache__", "dist", "build"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
}
SERVICES = ("catalog", "contract", "ledger", "alert")
# Clients of the services that people and other programs reach over HTTP.
FRONTS = ("portal", "edge")


@dataclass(frozen=True)
class Source:
    """One Python file; `path` is relative to the repository."""

    path: PurePosixPath
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parse(self.text)

    @property
    def service(self) -> str:
        """`ledger` for services/ledger/…, empty elsewhere."""
        parts = self.path.parts
        return parts[1] if len(parts) > 2 and parts[0] == "services" else ""

    @property
    def layer(self) -> str:
        """`domain`, `store`, `wire` …: the file or folder directly below the service."""
        return PurePosixPath(self.path.parts[2]).stem if self.service else ""

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every imported name as a dotted path, with its line; `from a import b` gives a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)

    def calls(self) -> Iterator[tuple[str, int]]:
        """Every called name as written (`datetime.now`), with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node.lineno

    def names(self) -> Iterator[tuple[str, int]]:
        """Every name and attribute as written (`os.environ`, `float`), with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute):
                yield ast.unparse(node), node.lineno

    def own_names(self) -> Iterator[tuple[str, int]]:
        """Every name that the file defines: classes, functions, arguments, assigned variables."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, node.lineno
            elif isinstance(node, ast.arg):
                yield node.arg, node.lineno
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, node.lineno

    def annotated(self) -> Iterator[tuple[str, ast.expr]]:
        """Every annotated argument, field and variable, with its annotation."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.arg) and node.annotation is not None:
                yield node.arg, node.annotation
            elif isinstance(node, ast.AnnAssign):
                yield ast.unparse(node.target), node.annotation

    def texts(self) -> Iterator[tuple[str, int]]:
        """Every string that is not a docstring, with its line."""
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield node.value, node.lineno

    def _base(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        package = self.path.parts[: -node.level]
        return ".".join((*package, node.module) if node.module else package)


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def files() -> tuple[PurePosixPath, ...]:
    """Return the repository's files: tracked, or new and not ignored. Without git: all except generated folders."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [PurePosixPath(name) for name in listed.split("\0") if name]
    except (FileNotFoundError, subprocess.CalledProcessError):
        below = [PurePosixPath(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
        found = [path for path in below if not GENERATED_FOLDERS.intersection(path.parts)]
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


@cache
def sources() -> tuple[Source, ...]:
    """Return all Python files except those that protoc generated."""
    return tuple(
        Source(path, (ROOT / path).read_text())
        for path in files()
        if path.suffix == ".py" and path.parts[:2] != ("libs", "purser")
    )
