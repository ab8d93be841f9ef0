"""Words and how often they occur: a file to try `dllm-lsp complete` on."""

import re
from collections import Counter
from pathlib import Path


class Vocabulary:
    def __init__(self, words):
        self.words = words
        self.counts = Counter(words)

    def most_common(self, limit=10):
        if limit is None:
            return self.counts.most_common()
        return self.counts.

    def frequency(self, word):
        return self.counts[word] / len(self.words)


def read_words(path):
    text = Path(path).read_text(encoding="utf-8")
    return re.findall(r"\w+", text.lower())
