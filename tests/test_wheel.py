"""What people install: the wheel, which must hold the weights and name what it needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
WEIGHTS = {
    f"dllm_lsp/models/bundled/{name}" for name in ("config.json", "tokenizer.json", "model.safetensors")
}
MOST_BYTES = 40_000_000
EXTRAS = {"training": ("train",), "evaluation": ("eval", "bench")}  # rooms, and what to install for them


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = folder.glob("*.whl")
    return file


def test_it_holds_the_weights_and_is_small(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert set(archive.namelist()) >= WEIGHTS | {"dllm_lsp/py.typed"}
    assert wheel.stat().st_size < MOST_BYTES


def test_it_holds_nothing_but_the_package(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        strangers = [
            name for name in archive.namelist() if not re.match(r"dllm_lsp(-[\d.]+\.dist-info)?/", name)
        ]
    assert strangers == []


@pytest.mark.parametrize(("room", "extras"), [("", ()), *EXTRAS.items()])
def test_it_names_what_it_imports(wheel: Path, room: str, extras: tuple[str, ...]) -> None:
    with ZipFile(wheel) as archive:
        sources = [name for name in archive.namelist() if name.endswith(".py") and room_of(name) == room]
        imported = set().union(*(imports(archive.read(name).decode()) for name in sources))
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        requirements = re.findall(
            r"^Requires-Dist: ([\w.-]+)(.*)$", archive.read(metadata).decode(), re.MULTILINE
        )
    conditions = ("", *(f"extra == '{extra}'" for extra in extras))
    needed = {canonical(name) for name, rest in requirements if rest.partition("; ")[2] in conditions}
    assert sources
    assert distributions(imported) <= needed


def room_of(name: str) -> str:
    """The room of a module that needs an extra, else nothing."""
    room = name.split("/")[1]
    return room if room in EXTRAS else ""


def imports(source: str) -> set[str]:
    """The modules that Python code imports, by their first names, but for the standard library's."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"dllm_lsp"}


def distributions(modules: set[str]) -> set[str]:
    installed = packages_distributions()
    return {canonical(installed[module][0]) for module in modules}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
