"""What the documents say of files is true: links lead somewhere, walls are contracts, every module has its place."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dllm_lsp"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("editors/*/README.md")])
ROOMS = {folder.name: folder for folder in sorted(PACKAGE.iterdir()) if (folder / "__init__.py").exists()}
ROOMS["scripts/bench"] = ROOT / "scripts/bench"
SHARED = {"settings", "settings_reader", "hub", "fingerprints"}
CONTRACTS = [
    contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    if contract["type"] == "forbidden"
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text())
    targets = [((page.parent / path).resolve() if path else page, anchor) for path, anchor in links]
    assert [(path, anchor) for path, anchor in targets if anchor not in anchors(path)] == []


def test_walls_are_the_import_contracts() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", architecture(), re.MULTILINE)
    assert [number for number, *_ in rows] == [str(number) for number, _ in enumerate(CONTRACTS, start=1)]
    known = {*ROOMS, *SHARED} - {"scripts/bench"}
    for (_, name, rooms, within, without), contract in zip(rows, CONTRACTS, strict=True):
        forbidden = {module for module in contract["forbidden_modules"] if module.startswith("dllm_lsp.")}
        assert name == contract["name"]
        assert quoted(rooms) == inside(contract["source_modules"]), name
        if within.startswith("only "):
            assert quoted(within) == known - inside(forbidden) - quoted(rooms), name
        else:
            assert within.startswith("all but "), name
            assert quoted(within) == inside(forbidden), name
        assert quoted(without) == {*contract["forbidden_modules"]} - forbidden, name


def test_every_room_names_its_walls() -> None:
    rows = re.findall(r"^\| `([a-z]+)/` \| .* \| ([\d, ]*?) ?\|$", architecture(), re.MULTILINE)
    found = {room: [int(number) for number in walls.split(", ") if number] for room, walls in rows}
    assert len(rows) == len(found)
    assert found == {
        room: [
            number
            for number, contract in enumerate(CONTRACTS, start=1)
            if room in {name.partition(".")[0] for name in inside(contract["source_modules"])}
        ]
        for room in ROOMS
        if room != "scripts/bench"
    }


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


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings have on GitHub."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found, seen = set(), Counter[str]()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def inside(modules: list[str] | set[str]) -> set[str]:
    return {module.removeprefix("dllm_lsp.") for module in modules}
