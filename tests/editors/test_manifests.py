"""What the editors' plugins declare is what the server knows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from dllm_lsp import __version__
from dllm_lsp.settings import Settings, merged

REPOSITORY = Path(__file__).parents[2]
EDITORS = REPOSITORY / "editors"
TEMPLATE = EDITORS / "jetbrains/dllm-lsp"
PROSE = {"description", "markdownDescription", "scope", "order"}

Flat = dict[str, dict[str, Any]]


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def without_prose(declared: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in declared.items() if key not in PROSE}
    return kept | {"type": "string", "enum": sorted(kept["enum"])} if "enum" in kept else kept


def flat(schema: dict[str, Any], definitions: dict[str, Any], prefix: str = "") -> Flat:
    """Every setting with its type, default and limits, from a JSON schema of nested objects."""
    settings: Flat = {}
    for name, declared in schema["properties"].items():
        nested = definitions[declared["$ref"].rpartition("/")[2]] if "$ref" in declared else declared
        if nested.get("type") == "object":
            settings |= flat(nested, definitions, f"{prefix}{name}.")
        else:
            settings[prefix + name] = without_prose(nested)
    return settings


def server_settings() -> Flat:
    definitions = json.loads(msgspec.json.encode(msgspec.json.schema(Settings)))["$defs"]
    return flat(definitions["Settings"], definitions)


def vscode_settings() -> Flat:
    declared = read(EDITORS / "vscode/package.json")["contributes"]["configuration"]["properties"]
    return {name.removeprefix("dllm-lsp."): without_prose(setting) for name, setting in declared.items()}


def test_vscode_declares_the_servers_settings() -> None:
    declared = vscode_settings()
    del declared["server.path"]
    assert declared == server_settings()


def test_vscode_leaves_programs_and_paths_to_the_user() -> None:
    declared = read(EDITORS / "vscode/package.json")["contributes"]["configuration"]["properties"]
    chosen_by_project = {name for name, setting in declared.items() if setting["scope"] != "machine"}
    assert {name.split(".")[1] for name in chosen_by_project} == {"suggest"}


def test_jetbrains_declares_the_servers_settings() -> None:
    schema = read(TEMPLATE / "settings.schema.json")["properties"]["dllm-lsp"]
    assert flat(schema, {}) == server_settings()


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


def test_the_settings_page_names_every_setting() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` +\| `(.+?)`", (REPOSITORY / "docs/editors/settings.md").read_text(), re.M
    )
    assert {name: json.loads(default) for name, default in rows} == {
        name: setting["default"] for name, setting in server_settings().items()
    }


def test_the_extension_has_the_packages_version() -> None:
    assert read(EDITORS / "vscode/package.json")["version"] == __version__
