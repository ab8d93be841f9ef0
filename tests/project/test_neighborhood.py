"""What is read around a document, told by the snippets that come of it: each of the neighbors shares a name with it."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from trees import at_end, git, no_git, write

from dllm_lsp.project import neighborhood
from dllm_lsp.project.neighborhood import look_around
from dllm_lsp.project.opened import Opened

APP = "from lib.helper import discount\nimport twin\n\n\ntotal = discount"
TREE = {
    "app.py": APP,
    "lib/helper.py": "def discount(helper): ...\n",
    "lib/other.py": "def discount(not_imported): ...\n",
    "twin.py": "def discount(twin): ...\n",
    "near.ts": "function discount(near) {}\n",
    "near.txt": "discount(no code)\n",
    "build.py": "def discount(ignored): ...\n",
    ".env": "discount=secret\n",
    ".gitignore": "build.py\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(root, TREE)
    return root


def around(
    root: Path,
    folders: Sequence[Path] | None = None,
    documents: Mapping[Path, str] | None = None,
    name: str = "app.py",
    text: str = APP,
) -> set[str]:
    """The parameters of all definitions of `discount` around a document."""
    uris = [folder.as_uri() for folder in ([root] if folders is None else folders)]
    opened = Opened(uris, {path.as_uri(): [text] for path, text in (documents or {}).items()})
    snapshot, hole = at_end(root / name, text)
    path, project = look_around(snapshot, hole, 9, opened)
    if project is None:
        return set()
    found = project.related(path, snapshot, hole, 99)
    return {each.partition("discount(")[2].partition(")")[0] for each in found} - {""}


@pytest.mark.parametrize("prepare", [git, no_git])
def test_the_neighbors_are_what_is_imported_and_source_code_of_the_folder(
    root: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(root)
    assert around(root) == {"helper", "twin", "near"}


def test_the_rest_of_the_document_is_there_as_it_is_in_the_editor(root: Path) -> None:
    text = "def discount(typed): ...\r\n" + "\r\n" * 40 + "discount"
    assert "typed" in around(root, text=text)


def test_a_file_that_is_open_is_as_it_is_in_the_editor(root: Path) -> None:
    edited = {root / "twin.py": "def discount(edited): ...\r\n"}
    assert around(root, documents=edited) == {"helper", "edited", "near"}


def test_an_open_file_that_may_not_be_looked_at_is_not(root: Path) -> None:
    documents = {
        root / "build.py": "def discount(opened): ...\n",
        root / "twin.py": "def discount(binary): ...\n\0",
        root / "near.ts": "function discount(huge) {}\n" + " " * 400_000,
        root.parent / "other.py": "def discount(outside): ...\n",
    }
    assert around(root, documents=documents) == {"helper"}


def test_nothing_is_read_outside_of_the_open_folders(root: Path) -> None:
    write(root.parent, {"twin.py": "def discount(outside): ...\n", "elsewhere/twin.py": "discount(other)\n"})
    os.symlink(root.parent / "elsewhere", root / "lib2")
    text = "from ..twin import discount\nfrom lib2.twin import discount\nimport twin\ndiscount"
    assert around(root, text=text, name="lib/app.py") == {"helper", "not_imported", "twin"}
    script = "import {discount} from '../twin.py'\nimport x from './lib2/twin.py'\ndiscount"
    assert around(root, text=script, name="app.ts") == {"twin", "near"}
    assert around(root, folders=[root / "lib"]) == set()
    assert around(root, folders=[root / "lib", root]) == {"helper", "twin", "near"}


def test_without_an_open_folder_the_documents_own_is_looked_at(root: Path) -> None:
    text = "from helper import discount\nimport twin\ndiscount"
    assert around(root, folders=[], name="lib/app.py", text=text) == {"helper", "not_imported"}


def test_folders_may_be_reached_through_links(root: Path) -> None:
    link = root.parent / "link"
    os.symlink(root, link)
    edited = {link / "twin.py": "def discount(edited): ...\n"}
    assert around(link, folders=[root], documents=edited) == {"helper", "edited", "near"}


def test_a_document_that_is_nowhere_has_no_neighbors(root: Path) -> None:
    assert around(root, name="missing/folder/app.py") == set()
    assert around(root, folders=[root / "missing"]) == set()
    assert around(root, name="new.py") == {"helper", "twin", "near"}


def test_a_file_that_vanishes_is_not_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_among = neighborhood.own_among

    def vanishing(root: Path, paths: set[str]) -> set[str]:
        (root / "twin.py").unlink()
        return own_among(root, paths)

    monkeypatch.setattr(neighborhood, "own_among", vanishing)
    assert around(root) == {"helper", "near"}


def test_of_much_code_what_is_imported_is_read_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, {f"a{n}.py": f"def discount(a{n}): ...\n" for n in range(3)})
    assert around(root) == {"helper", "twin", "near", "a0", "a1", "a2"}
    monkeypatch.setattr(neighborhood, "_LARGEST_NEIGHBORHOOD", len(APP) + 60)
    assert around(root) == {"helper", "twin"}


def test_of_a_huge_folder_a_part_is_looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighborhood, "_LARGEST_FOLDER", 0)
    assert around(root) == {"helper", "twin"}
