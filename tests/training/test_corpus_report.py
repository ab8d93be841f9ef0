"""The report counts what the corpus files hold."""

import json
from pathlib import Path

import dllm_lsp.models
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.training.corpus.report import Total, totals

TOKENIZER = Path(dllm_lsp.models.__file__).parent / "bundled" / "tokenizer.json"


def test_files_bytes_and_tokens_are_counted_for_each_language(tmp_path):
    tokenizer = Tokenizer.load(TOKENIZER)
    texts = [("python", "x = 'é'\n"), ("python", "import os\n"), ("javascript", "let x = 1;\n")]
    rows = [
        json.dumps({"path": str(n), "language": language, "text": text})
        for n, (language, text) in enumerate(texts)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(rows) + "\n")
    tokens = [len(tokenizer.encode(text)) for _, text in texts]
    assert totals(tmp_path / "train.jsonl", tokenizer) == {
        "python": Total(2, 19, tokens[0] + tokens[1]),
        "javascript": Total(1, 11, tokens[2]),
    }
