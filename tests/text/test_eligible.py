import pytest

from dllm_lsp.text.eligible import is_eligible


@pytest.mark.parametrize(
    "uri",
    [
        "file:///home/ada/app.py",
        "file:///home/ada/secrets.py",
        "file:///home/ada/environment.py",
        "file:///c%3A/work/keyboard.py",
        "untitled:Untitled-1",
        "vscode-notebook-cell:/home/ada/plots.ipynb#W2sZmlsZQ%3D%3D",
        "",
    ],
)
def test_code_is_eligible(uri: str) -> None:
    assert is_eligible(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "file:///home/ada/.env",
        "file:///home/ada/.env.production",
        "file:///home/ada/%2Eenv",
        "file:///home/ada/.ssh/config",
        "file:///c%3A/Users/Ada/.AWS/credentials",
        "file:///home/ada/server.PEM",
        "file:///home/ada/id_ed25519",
        "file:///home/ada/secrets.yaml",
        "vscode-remote://host/home/ada/.env#fragment",
    ],
)
def test_secrets_are_not(uri: str) -> None:
    assert not is_eligible(uri)


def test_a_revision_is_not() -> None:
    assert not is_eligible("git:/home/ada/app.py?%7B%22ref%22%3A%22HEAD%22%7D")
