"""What the documents say of files is true: links lead somewhere, and every module has its place in the tour."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dllm_lsp"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("editors/*/README.md")])
ROOMS = {folder.name: folder for folder in sorted(PACKAGE.iterdir()) if (folder / "__init__.py").exists()}
ROOMS["scripts/bench"] = ROOT / "scripts/bench"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_files_on_the_way_of_a_keystroke_exist() -> None:
    tour = architecture().partition("## Modules")[0]
    files = re.findall(r"`([a-z_/]+\.py)`", tour)
    assert files
    assert [file for file in files if not (PACKAGE / file).exists()] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_a_room_is_named(room: str) -> None:
    modules = architecture().partition("## Modules")[2]
    headings = list(re.finditer(r"^`([a-z/]+)/`", modules, re.MULTILINE))
    ends = [heading.start() for heading in headings[1:]] + [len(modules)]
    blocks = [modules[h.end() : end] for h, end in zip(headings, ends, strict=True) if h[1] == room]
    named = {name for block in blocks for name in re.findall(r"`([a-z_]+\.py)`", block)}
    assert named - {"__main__.py"} == {file.name for file in ROOMS[room].rglob("*.py")} - {
        "__init__.py",
        "__main__.py",
    }


def architecture() -> str:
    return (ROOT / "docs/architecture.md").read_text()
