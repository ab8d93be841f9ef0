"""The engines' log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dllm_lsp.wire.log import MAX_BYTES, log_path, open_log


def test_the_log_does_not_grow_without_end(folder: Path):
    code = (
        "import logging; from dllm_lsp.wire.log import log_to_stderr; log_to_stderr()\n"
        "for number in range(2500): logging.error('%d %s', number, 'x' * 1000)"
    )
    with open_log() as log:
        subprocess.run([sys.executable, "-c", code], stderr=log, timeout=60, check=True)
    text = log_path().read_text()
    assert len(text) < MAX_BYTES + 2000
    assert " 2499 xxx" in text


def test_logs_are_appended_to(folder: Path):
    for word in (b"one\n", b"two\n"):
        with open_log() as log:
            log.write(word)
    assert log_path().read_bytes() == b"one\ntwo\n"
