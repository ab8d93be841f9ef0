from __future__ import annotations

import pytest
from marked import CURSOR, snapshot_of

from dllm_lsp.context.admission import path_in, refusal_of_content, refusal_of_name
from dllm_lsp.text.snapshot import Snapshot


def refusal(snapshot: Snapshot) -> str | None:
    """All that is known without a look at the disk."""
    return refusal_of_content(snapshot) or refusal_of_name(path_in(snapshot.uri))


@pytest.mark.parametrize(
    "uri",
    [
        "file:///work/app.py",
        "untitled:Untitled-1",
        "vscode-notebook-cell:/work/analysis.ipynb#W0sZmlsZQ%3D%3D",
        "file:///work/environment.py",
        "file:///work/env/settings.py",
        "file:///usr/lib/python3/secrets.py",
        "file:///work/credentials.ts",
        "file:///work/credentials.mjs",
        "file:///c%3A/work/key.py",
        "app.py",
        "",
    ],
)
def test_code_may_be_completed(uri: str) -> None:
    assert refusal(snapshot_of(f"x = {CURSOR}\n", uri=uri)) is None


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("file:///work/.env", ".env"),
        ("file:///work/.env.production", ".env.production"),
        ("file:///work/.ENV", ".ENV"),
        ("file:///work/%2Eenv", ".env"),
        ("vscode-notebook-cell:/work/.env#W0s", ".env"),
        ("file:///work/server.pem", "server.pem"),
        ("file:///home/me/id_rsa", "id_rsa"),
        ("file:///home/me/.ssh/config", "config"),
        ("file:///home/me/.aws/credentials", "credentials"),
        ("file:///work/credentials.json", "credentials.json"),
        ("file:///work/secrets.sh", "secrets.sh"),
        ("file:///work/secrets.yaml", "secrets.yaml"),
        (r"file:///c%3A\Users\me\.ssh\config", "config"),
    ],
)
def test_secrets_are_refused_by_name(uri: str, named: str) -> None:
    reason = refusal(snapshot_of(f"x = {CURSOR}\n", uri=uri))
    assert reason is not None
    assert reason.startswith(named)


@pytest.mark.parametrize("language", ["dotenv", "DotEnv", "env"])
def test_a_language_of_secrets_is_refused_whatever_the_name_is(language: str) -> None:
    here = snapshot_of(f"x = {CURSOR}\n", language=language, uri="untitled:Untitled-1")
    assert (refusal(here) or "").startswith(language)


@pytest.mark.parametrize(
    "uri", ["git:/work/app.py?%7B%22ref%22%3A%22~%22%7D", "GIT:/work/app.py", "output:tasks"]
)
def test_read_only_views_are_refused(uri: str) -> None:
    assert "read-only" in (refusal(snapshot_of(f"x = {CURSOR}\n", uri=uri)) or "")


@pytest.mark.parametrize(
    "marked", [f"\0\0\x01{CURSOR}", "\0" + "\n" * 500 + CURSOR, "\n" * 500 + f"a{CURSOR}\0"]
)
def test_binary_text_is_refused(marked: str) -> None:
    assert "binary" in (refusal(snapshot_of(marked)) or "")
