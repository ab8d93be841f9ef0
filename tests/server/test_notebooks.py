"""Cells of a notebook, which see each other."""

from __future__ import annotations

from typing import Any

import pytest
from session_sides import Client, FakeEngine

NOTEBOOK = "file:///work/plots.ipynb"
CAPABILITIES = {"notebookDocument": {"synchronization": {"dynamicRegistration": True}}}


def uri(number: int) -> str:
    return f"vscode-notebook-cell:/work/plots.ipynb#W{number}"


def text_item(number: int, text: str, language: str = "python") -> dict[str, Any]:
    return {"uri": uri(number), "languageId": language, "version": 1, "text": text}


def cell(number: int, kind: int = 2) -> dict[str, Any]:
    return {"kind": kind, "document": uri(number)}


def open_notebook(client: Client, *texts: str, languages: dict[int, str] | None = None) -> None:
    items = [text_item(n, text, (languages or {}).get(n, "python")) for n, text in enumerate(texts)]
    cells = [cell(number) for number in range(len(texts))]
    notebook = {"uri": NOTEBOOK, "notebookType": "jupyter-notebook", "version": 1, "cells": cells}
    client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": items})


def change(client: Client, cells: dict[str, Any], version: int = 2) -> None:
    document = {"uri": NOTEBOOK, "version": version}
    client.notify("notebookDocument/didChange", {"notebookDocument": document, "change": {"cells": cells}})


async def test_a_cell_sees_those_of_its_language_above_and_below(
    client: Client, engines: list[FakeEngine]
) -> None:
    await client.begin(CAPABILITIES)
    open_notebook(
        client, "import os\n", "# A\n", "%%bash\nls", "value = ", "print(value)", languages={1: "markdown"}
    )
    assert await client.complete(0, 8, uri(3)) == ("compute(1)", (0, 8, 0, 8))
    [hole] = engines[0].holes
    assert (hole.before, hole.after) == ("import os\nvalue = ", "\nprint(value)\n")


async def test_changes_of_cells_are_followed(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin(CAPABILITIES)
    open_notebook(client, "a = 1", "b = ")
    edit = {"range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 5}}, "text": "2"}
    document = {"uri": uri(0), "version": 2}
    change(client, {"textContent": [{"document": document, "changes": [edit]}]})
    new = {"array": {"start": 1, "deleteCount": 0, "cells": [cell(2)]}, "didOpen": [text_item(2, "c = 3")]}
    change(client, {"structure": new}, 3)
    await client.complete(0, 4, uri(1))
    assert engines[0].holes[-1].before == "a = 2\nc = 3\nb = "
    gone = {"array": {"start": 0, "deleteCount": 1}, "didClose": [{"uri": uri(0)}]}
    change(client, {"structure": gone}, 4)
    await client.complete(0, 4, uri(1))
    assert engines[0].holes[-1].before == "c = 3\nb = "


async def test_a_notebook_that_is_closed_is_forgotten(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin(CAPABILITIES)
    open_notebook(client, "a = 1", "b = ")
    closed = {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": [{"uri": uri(0)}]}
    client.notify("notebookDocument/didClose", closed)
    assert await client.complete(0, 4, uri(1)) is None
    assert engines[0].forgotten == [NOTEBOOK]


@pytest.mark.parametrize(
    "cells",
    [
        {"structure": {"array": {"start": 7, "deleteCount": 9}, "didClose": [{"uri": uri(7)}]}},
        {"textContent": [{"document": {"uri": uri(7), "version": 2}, "changes": [{"text": "x"}]}]},
        {"data": [cell(7)]},
    ],
)
async def test_changes_of_what_is_not_there_change_nothing(client: Client, cells: dict[str, Any]) -> None:
    await client.begin(CAPABILITIES)
    change(client, cells)
    open_notebook(client, "a = 1", "b = ")
    change(client, cells)
    assert await client.complete(0, 4, uri(1)) == ("compute(1)", (0, 4, 0, 4))


async def test_a_change_that_is_not_understood_ends_what_is_known_of_the_notebook(client: Client) -> None:
    await client.begin(CAPABILITIES)
    open_notebook(client, "a = 1", "b = ")
    change(client, {"textContent": 3})
    assert await client.complete(0, 4, uri(1)) is None


async def test_a_notebook_is_left_alone_for_its_name(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin(CAPABILITIES, options={"suggest": {"exclude": ["plots.ipynb"]}})
    open_notebook(client, "a = 1", "b = ")
    assert await client.complete(0, 4, uri(1)) == []
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert status["state"] == "inactive"


@pytest.mark.parametrize("capabilities", [{}, CAPABILITIES, {"notebookDocument": 3}])
async def test_notebooks_are_asked_for_where_the_client_has_them(
    client: Client, capabilities: dict[str, Any]
) -> None:
    result = await client.begin(capabilities)
    assert ("notebookDocumentSync" in result["capabilities"]) == (capabilities is CAPABILITIES)
