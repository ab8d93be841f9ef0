"""What the editors' plugins declare is what the server knows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import settings_pages
from dllm_lsp import __version__
from dllm_lsp.settings import Settings
from dllm_lsp.settings_reader import merged

REPOSITORY = Path(__file__).parents[2]
EDITORS = REPOSITORY / "editors"
TEMPLATE = EDITORS / "jetbrains/dllm-lsp"


def read(file: Path) -> Any:
    return json.loads(file.read_text())


@pytest.mark.parametrize("file", settings_pages.WRITERS, ids=lambda file: file.name)
def test_what_shows_the_settings_shows_the_tree(file: Path) -> None:
    text = file.read_text()
    assert settings_pages.WRITERS[file](text) == text, "run python scripts/settings_pages.py"


@pytest.mark.parametrize("each", [*settings_pages.settings()], ids=lambda each: each.path)
def test_every_documented_setting_is_understood(each: settings_pages.Setting) -> None:
    default = each.schema["default"]
    assert merged(Settings(), {each.path: default}) == (Settings(), [])
    _, problems = merged(Settings(), {each.path: [[1]]})
    assert len(problems) == 1


def test_vscode_leaves_programs_and_paths_to_the_user() -> None:
    declared = read(EDITORS / "vscode/package.json")["contributes"]["configuration"]["properties"]
    chosen_by_project = {name for name, setting in declared.items() if setting["scope"] != "machine"}
    assert {name.split(".")[1] for name in chosen_by_project} == {"suggest", "languages"}
    assert "dllm-lsp.suggest.exclude" not in chosen_by_project


def test_jetbrains_initial_settings_change_nothing() -> None:
    assert merged(Settings(), read(TEMPLATE / "settings.json")["dllm-lsp"]) == (Settings(), [])


def test_jetbrains_template_starts_the_server() -> None:
    template = read(TEMPLATE / "template.json")
    assert {"id", "name"} <= template.keys()
    assert template["programArgs"]["default"] == "dllm-lsp --stdio"


def test_all_editors_ask_for_the_same_languages() -> None:
    neovim = (EDITORS / "neovim/lsp/dllm_lsp.lua").read_text()
    filetypes = re.search(r"filetypes = \{(.*?)\}", neovim)
    assert filetypes is not None
    languages = set(re.findall(r"'(\w+)'", filetypes[1]))
    activation = read(EDITORS / "vscode/package.json")["activationEvents"]
    mappings = read(TEMPLATE / "template.json")["fileTypeMappings"]
    assert {event.removeprefix("onLanguage:") for event in activation} == languages
    assert {mapping["languageId"] for mapping in mappings} == languages


def test_the_extension_has_the_packages_version() -> None:
    assert read(EDITORS / "vscode/package.json")["version"] == __version__
