"""Files of a workspace, read by the real server for the shipped model, which reads snippets."""

import asyncio
from pathlib import Path

import psutil
from lsp_client import QUICKLY, StartEditor

import dllm_lsp

PACKAGE = Path(dllm_lsp.__file__).parent


async def test_the_editors_half_stays_small_and_says_nothing(start_editor: StartEditor) -> None:
    editor = await start_editor(options=QUICKLY, root=PACKAGE.parent.as_uri())
    status = await editor.settled()
    assert (status["state"], status["snippets"]) == ("ready", 3), status["detail"]
    for file in sorted(PACKAGE.glob("server/*.py"))[:5]:
        editor.open(file.read_text(), file.as_uri())
        for line in range(5, 25, 5):
            await editor.complete(line, 0, file.as_uri())
            await asyncio.sleep(0.02)
    assert editor.client._server
    server = psutil.Process(editor.client._server.pid)
    assert server.memory_info().rss < 80 * 1024 * 1024
    assert editor.client.messages == []
