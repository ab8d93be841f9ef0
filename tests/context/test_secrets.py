from __future__ import annotations

from pathlib import Path

import pytest

from dllm_lsp.context.secrets import PATTERNS, is_secret, listed

PAGE = Path(__file__).parents[2] / "docs/editors/settings.md"


@pytest.mark.parametrize(
    "path",
    [
        "/work/.dev.vars",
        "/home/me/.docker/config.json",
        "/work/serviceAccountKey.json",
        "/work/my-service-account.json",
        "/work/secrets/db.yaml",
        "/run/secrets/db_password",
        "/work/app-secrets.yaml",
        "/work/client_secret_12.json",
        "/work/htpasswd",
        "/work/local.settings.json",
        "/home/me/.zsh_history",
        "/etc/shadow",
        "/home/me/.config/gh/hosts.yml",
        "/work/.env-production",
        ".env",
    ],
)
def test_files_that_hold_secrets_look_like_it(path: str) -> None:
    assert is_secret(path)
    assert is_secret(path.upper())


@pytest.mark.parametrize(
    "name",
    [
        ".env~",
        "#.env#",
        ".#.env",
        ".env.swp",
        ".env.~1~",
        ".env.bak",
        ".server.pem.swp",
        "id_rsa.old",
        "copy of .env",
    ],
)
def test_a_copy_counts_as_what_it_is_a_copy_of(name: str) -> None:
    assert is_secret(f"/work/{name}")


@pytest.mark.parametrize(
    "path",
    [
        "/work/secrets/vault.py",
        "/work/credentials.py~",
        "/work/.docker/nginx.conf",
        "/work/docker/config.json",
        "/work/tokenizer.json",
        "/work/password_reset.html",
        "/work/environment.md",
        "/work/README.md",
        "",
    ],
)
def test_other_files_do_not(path: str) -> None:
    assert not is_secret(path)


@pytest.mark.timeout(5)
def test_no_name_takes_long() -> None:
    assert not is_secret("/work/" + "~" * 100_000 + "x.md")
    assert not is_secret("/work/" + "~1" * 120 + "x.md")


def test_a_users_patterns_add_and_take_back() -> None:
    patterns = ("*.SQL", "private/", "!.env.example", "\\", "!")
    assert listed("/work/dump.sql", patterns) is True
    assert listed("/work/Private/app.py", patterns) is True
    assert listed("/work/.env.example", patterns) is False
    assert listed("/work/app.py", patterns) is None
    assert listed("/work/app.py", ()) is None


def test_the_settings_page_shows_the_list() -> None:
    assert f"```gitignore\n{PATTERNS}```" in PAGE.read_text()
