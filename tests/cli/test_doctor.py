"""`dllm-lsp doctor`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dllm_lsp.cli import doctor
from dllm_lsp.client.tuned import Choice
from dllm_lsp.settings import Settings
from dllm_lsp.wire.messages import Status

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_all_is_well_here(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"Python", "PyTorch", "model", "engine"} <= set(done.stdout.split())
    assert re.search(r"ready, on \S+ in (fp32|bf16|int8)\n", done.stdout)


def test_a_model_that_is_not_there_is_advice_and_a_failure(run: Run) -> None:
    done = run("doctor", "--model", "nowhere")
    assert done.returncode == 1
    assert "nowhere is missing" in done.stdout
    assert 'Set "model" to "bundled"' in done.stdout


@pytest.mark.parametrize(("is_needed", "status", "mark"), [(True, 1, "!!"), (False, 0, "->")])
def test_what_is_marked_as_wrong_is_a_failure_and_advice_is_none(
    is_needed: bool,
    status: int,
    mark: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    findings = [doctor.Finding("a", "well"), doctor.Finding("b", "found", "do this", is_needed)]
    monkeypatch.setattr(doctor, "examine", lambda settings: iter(findings))
    assert doctor.doctor(Settings()) == status
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", mark, "do"]


@pytest.mark.parametrize("is_stale", [False, True])
def test_what_serves_this_folder_is_told(is_stale: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def is_ready(settings: Settings, notices: list[str]) -> Status:
        return Status(state="ready", device="cpu")

    monkeypatch.setattr("dllm_lsp.cli.doctor._engine_status", is_ready)
    monkeypatch.setattr(
        "dllm_lsp.cli.doctor.choose", lambda settings, *_: Choice(settings, "adapter ab", is_stale)
    )
    findings = {finding.subject: finding for finding in doctor.examine(Settings())}
    told = findings["fine-tuning"]
    assert (told.advice if is_stale else told.found) == "adapter ab"
    assert bool(told.advice) == is_stale
    assert not told.is_needed


@pytest.mark.parametrize(
    ("says", "advises"), [("NVIM v0.11.4", True), ("NVIM v0.12.0-dev", False), ("NVIM v1.0.0", False)]
)
def test_a_neovim_that_is_too_old_is_told(
    says: str, advises: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvim"
    program.write_text(f"#!{sys.executable}\nprint({says!r})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    async def is_ready(settings: Settings, notices: list[str]) -> Status:
        return Status(state="ready", device="cpu")

    monkeypatch.setattr("dllm_lsp.cli.doctor._engine_status", is_ready)
    findings = {finding.subject: finding for finding in doctor.examine(Settings())}
    assert findings["Neovim"].found == says
    assert bool(findings["Neovim"].advice) == advises
    assert not findings["Neovim"].is_needed
    assert "not on PATH" in findings["command"].found
