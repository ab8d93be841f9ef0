from pathlib import Path

import pytest
import torch
from msgspec import json
from tiny_model import SOURCE, tiny_checkpoint

from bench.policies import WAYS, Trial, difficulty_table, main, ways_table
from dllm_lsp.models.checkpoints.streams import save_streams


def trial(*, is_exact: bool, tokens: int, passes: int, milliseconds: float, entropy: float = 1.0) -> Trial:
    return Trial(is_exact, tokens, tokens, passes, milliseconds, entropy)


def test_figures_are_means_over_holes_and_tokens_a_pass_over_all_of_them() -> None:
    trials = [
        trial(is_exact=True, tokens=6, passes=1, milliseconds=10),
        trial(is_exact=False, tokens=2, passes=3, milliseconds=30),
    ]
    assert ways_table({"this way": trials}).splitlines()[-1] == "| this way | 50.0% | 2.00 | 2.0 | 20 / 29 |"


def test_passes_are_told_by_length_and_by_entropy() -> None:
    trials = [
        trial(is_exact=True, tokens=1, passes=1, milliseconds=1, entropy=0.1),
        trial(is_exact=False, tokens=12, passes=9, milliseconds=1, entropy=3.0),
    ]
    lines = difficulty_table(trials).splitlines()[2:]
    assert lines == [
        "| 1 to 2 tokens | 1 | 1.0 | 100.0% |",
        "| 10 to 15 tokens | 1 | 9.0 | 0.0% |",
        "| lowest quarter of entropies | 1 | 1.0 | 100.0% |",
        "| highest quarter of entropies | 1 | 9.0 | 0.0% |",
    ]


def test_the_command_measures_every_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_streams(tmp_path / "model", *tiny_checkpoint(), torch.float32)  # type: ignore[arg-type]
    (tmp_path / "a.py").write_text(SOURCE)
    main([str(tmp_path), "--model", str(tmp_path / "model"), "--limit", "5"])
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in WAYS)
    _, _, batches = printed.partition("| holes in a batch |")
    assert [line.split(" | ")[0] for line in batches.splitlines()[2:4]] == ["| 1", "| 4"]
    assert "5 holes that fit" in printed


def test_bad_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no folder"):
        main([str(tmp_path), "--model", str(tmp_path / "nowhere")])
    (tmp_path / "empty.jsonl").write_bytes(json.encode({}))
    with pytest.raises(SystemExit, match=r"policies: .*"):
        main([str(tmp_path / "empty.jsonl")])
