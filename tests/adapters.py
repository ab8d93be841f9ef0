"""A tiny causal base with its own adapter, and adapters that were fine-tuned on repositories of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_checkpoints import write_adapter_of, write_base

from dllm_lsp import hub
from dllm_lsp.models.checkpoints import causal
from dllm_lsp.models.checkpoints.adapter import stored_fingerprint


@pytest.fixture
def adapted_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The base's folder; the user's data folder is the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("TINY_ADAPTERS", str(tmp_path / "shipped"))
    monkeypatch.setattr(causal, "ADAPTERS", tmp_path / "shipped")
    write_adapter_of(tmp_path / "shipped" / "tiny")
    folder = tmp_path / "base"
    folder.mkdir()
    write_base(folder)
    return folder


def fine_tuned(seed: int, **changes: object) -> str:
    """Put an adapter where a fine-tuned one lies, and return its fingerprint."""
    written = hub.tuned() / str(seed) / "new"
    write_adapter_of(written, seed=seed, **changes)  # type: ignore[arg-type]
    fingerprint = stored_fingerprint(written)
    assert fingerprint is not None
    written.rename(written.with_name(fingerprint))
    return fingerprint
