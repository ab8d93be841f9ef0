"""Arguments and exit statuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import dllm_lsp
from dllm_lsp.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_version(run: Run) -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"dllm-lsp {dllm_lsp.__version__}\n")


def test_help_names_the_commands(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert {"complete", "doctor", "--stdio", "--tcp"} <= set(done.stdout.split())


def test_without_arguments_there_is_help_and_a_usage_error(run: Run) -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: dllm-lsp")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["improve"], "improve"),
        (["--colour"], "--colour"),
        (["--stdio", "--tcp", "0"], "not allowed with"),
        (["--tcp", "localhost"], "[HOST:]PORT"),
        (["--tcp", "65536"], "[HOST:]PORT"),
        (["--set", "suggest.confidence", "doctor"], "KEY=VALUE"),
        (
            ["--set", "suggest.confidence=7", "doctor"],
            '"suggest.confidence" is 7, but must be a number from 0 to 1.\n',
        ),
        (["--set", "suggest.mood=1", "doctor"], 'The setting "suggest.mood", here 1, is unknown'),
        (["doctor", "--set", "engine=1"], 'The setting "engine" is 1'),
        (["complete", "--json", "--trace", "a.py:1:1"], "not allowed with"),
        (["complete"], "FILE:LINE:COLUMN"),
        (["complete", "a.py"], "is not FILE:LINE:COLUMN"),
        (["complete", "a.py:1"], "is not FILE:LINE:COLUMN"),
        (["complete", "a.py:1:x"], "is not FILE:LINE:COLUMN"),
        (["complete", "a.py:1:-1"], "is not FILE:LINE:COLUMN"),
        (["complete", ":1:1"], "is not FILE:LINE:COLUMN"),
        (["complete", "a.py:0:1"], "count from 1"),
        (["complete", "a.py:1:0"], "count from 1"),
    ],
)
def test_wrong_usage_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--corpus", "/nope", "--run", "/nope/run"],
        ["train", "--corpus", "{folder}", "--run", "{folder}/run"],
        ["train", "--repo", "/nope"],
        ["eval", "repair", "/nope"],
        ["--tcp", "192.0.2.1:0"],
    ],
)
def test_what_is_not_there_is_told_in_words(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(folder=tmp_path) for argument in arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("dllm-lsp: ")
    assert "Errno" not in said


def test_settings_before_and_behind_a_command_both_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--set", "first=1", "complete", "--set", "suggest.enabled=false", "a.py:1:1"])
    assert '"first"' in capsys.readouterr().err
