"""What no client should send, and what files may hold: an answer or null, and the server serves on."""

import pytest
from lsp_client import QUICKLY, Editor, StartEditor
from lsprotocol import types

GOOD = "file:///work/good.py"
URI = "file:///work/app.py"


async def serves_on(editor: Editor) -> None:
    editor.open("value = ", GOOD)
    await editor.complete(0, 8, GOOD)
    assert (await editor.status())["state"] in ("ready", "failed")
    assert editor.client.error is None


@pytest.fixture(params=["utf-8", "utf-16", "utf-32"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a = 1\r\nb = \r\n",
        "\tif a:\n\t\t\n",
        "e\u0301 = '👩‍💻' + '😀'\n",
        "\x00\x01\x7fELF\x02\ufffd\ufffd" * 100,
        "a\x0cb\x0bc\x1cd\x85e\u2028f\n",
        "\ufeffimport os\n",
    ],
    ids=["empty", "one line end", "crlf", "tabs", "emoji", "binary", "other line ends", "byte order mark"],
)
async def test_any_text_at_any_position(start_editor: StartEditor, encoding: str, text: str) -> None:
    editor = await start_editor(encodings=[encoding], options=QUICKLY)
    await editor.settled()
    editor.open(text, URI)
    for line in (0, 1, 2**31 - 1):
        for character in (0, 1, 5, 2**31 - 1):
            await editor.complete(line, character, URI)
    await serves_on(editor)


@pytest.mark.parametrize(
    "text",
    [
        "def function(argument):\n    return argument + 1\n\n\n" * 40_000,
        "x = [" + "1, " * 333_333,
        "é😀" * 300_000,
    ],
    ids=["2 MB", "1 MB in one line", "emoji in one line"],
)
async def test_large_documents(start_editor: StartEditor, text: str) -> None:
    editor = await start_editor(options=QUICKLY)
    await editor.settled()
    editor.open(text, URI)
    end = types.Position(2**31 - 1, 0)
    await editor.complete(0, 500_000, URI)
    editor.change([types.TextDocumentContentChangePartial(types.Range(end, end), "\nvalue = ")], URI, 2)
    await editor.complete(2**31 - 1, 0, URI)
    await serves_on(editor)


@pytest.mark.parametrize(
    "uri",
    [
        "untitled:Untitled-1",
        "git:/work/app.py?%7B%22ref%22%3A%22HEAD%22%7D",
        "vscode-notebook-cell:/work/plots.ipynb#W2sZmlsZQ%3D%3D",
        "file:///work/%FF%00.py",
        "no uri at all",
        "",
    ],
)
async def test_documents_of_any_name(start_editor: StartEditor, uri: str) -> None:
    editor = await start_editor(options=QUICKLY)
    await editor.settled()
    editor.open("value = ", uri)
    answer = await editor.complete(0, 8, uri)
    assert answer is None or not uri.startswith("git:")
    await serves_on(editor)


async def test_a_document_that_was_never_opened(start_editor: StartEditor) -> None:
    editor = await start_editor(options=QUICKLY)
    editor.change([types.TextDocumentContentChangeWholeDocument("value = ")], URI, 2)
    editor.close(URI)
    assert await editor.complete(0, 8, URI) is None
    await editor.settled()
    await serves_on(editor)
