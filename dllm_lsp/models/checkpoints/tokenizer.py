"""Text to token ids and back: byte-level BPE, with the special tokens outside of its reach."""

from __future__ import annotations

import codecs
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, takewhile
from operator import itemgetter
from pathlib import Path

from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as BytePairEncoder

from dllm_lsp.languages.lookup import language_of

BEGINS = ("python", "javascript", "typescript", "go", "rust", "java", "c", "cpp")
"""Names of the begin tokens besides the shared one. Stored weights count on their number and order."""

_CANVAS = ("mask", "delete", "expand")
_SPECIAL = (*_CANVAS, "begin", *(f"begin:{name}" for name in BEGINS))

# A line break; the indentation of a line; a word with one mark or space before it; up to three digits; a run of
# marks; other white space, its last blank left to the word that follows.
_PRE_TOKEN = (
    r"\r\n|\r|\n|(?<=\n)[^\S\r\n]+|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+|[^\S\r\n]+(?!\S)|[^\S\r\n]"
)


class TextTokenizer:
    """Encodes text to ids below `size` and ids to text. No text, whatever it spells, becomes a special id."""

    def __init__(self, encoder: BytePairEncoder, spelled: Mapping[int, bytes], first: int = 0) -> None:
        """`encoder` numbers its tokens from `first` on; ids that are not `spelled` are special and have no text."""
        self._encoder, self._first, self._spelled = encoder, first, spelled
        self._ids = {token: i for i, token in spelled.items()}
        self._alphabetical = sorted(self._ids.items())

    @property
    def size(self) -> int:
        """One more than the last id that has a text."""
        return max(self._spelled, default=-1) + 1

    def silent(self, vocabulary: int) -> list[int]:
        """Return the ids of a vocabulary that have no text."""
        return [i for i in range(vocabulary) if i not in self._spelled]

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; lone surrogates, which no UTF-8 file can hold, count as U+FFFD."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""
        encodings = self._encoder.encode_batch_fast(list(map(_clean, texts)), add_special_tokens=False)
        return [[i + self._first for i in encoding.ids] for encoding in encodings]

    def healed(self, text: str) -> tuple[list[int], str]:
        """Split `text`, the code before a hole, into the ids of what stands and a stem that the hole begins with.

        A word that ends at the cursor may go on, and then its last tokens are not those that the model has seen in
        whole words. So up to two of them are taken back, to be spelled again together with what follows.
        """
        open_end = self.open_end(text)
        ids = self.encode(text[: len(text) - len(open_end)])
        last = self.encode(open_end)
        for start in range(max(0, len(last) - 2), -1, -1):
            stem = self.decode(last[start:])
            if open_end.endswith(stem):  # else it begins within a character
                return [*ids, *last[:start]], stem
        return [*ids, *last], ""

    def open_end(self, text: str) -> str:
        """Return the end of `text` that is tokenized together with what is typed next: none behind indentation."""
        line = text[text.rfind("\n") + 1 :]
        if not line.strip():
            return ""
        assert self._encoder.pre_tokenizer is not None
        pieces = self._encoder.pre_tokenizer.pre_tokenize_str(f"\n{_clean(line)}")
        start, _ = pieces[-1][1]
        return line[start - 1 :]

    def spelling(self, stem: bytes) -> tuple[list[int], list[int]]:
        """Return the ids of the tokens that begin with `stem`, and of those that `stem` begins with."""
        first = bisect_left(self._alphabetical, stem, key=itemgetter(0))
        longer = takewhile(lambda token: token[0].startswith(stem), islice(self._alphabetical, first, None))
        shorter = (self._ids.get(stem[:length]) for length in range(1, len(stem)))
        return [i for _, i in longer], [i for i in shorter if i is not None]

    def spelled(self, i: int) -> bytes:
        """Return the bytes of an id, none for a special one."""
        return self._spelled.get(i, b"")

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`; special ids have none."""
        return "".join(self.pieces(ids))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Return each id's text; a character that spans ids belongs to the one that completes it."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return [decoder.decode(self._spelled.get(i, b"")) for i in ids]


class Tokenizer(TextTokenizer):
    """The bundled model's tokenizer: a vocabulary for code, behind the special ids.

    No token crosses a line break. A text may be cut before a line break, or before a blank and its word: the pieces
    then have the tokens of the whole.
    """

    mask = 0
    delete = 1
    expand = 2

    def __init__(self, encoder: BytePairEncoder) -> None:
        """Raise ValueError if the encoder is not byte-level or numbers its tokens with gaps."""
        vocabulary = encoder.get_vocab()
        if sorted(vocabulary.values()) != list(range(len(vocabulary))):
            raise ValueError("its ids have gaps")
        spelled = token_bytes(vocabulary)
        super().__init__(encoder, {i + len(_SPECIAL): text for i, text in spelled.items()}, len(_SPECIAL))

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read a `tokenizer.json`; raise ValueError if it is none."""
        try:
            return cls(BytePairEncoder.from_str(path.read_text(encoding="utf-8")))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path} is not a tokenizer file: {error}") from error

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Tokenizer:
        """Learn a vocabulary of `size` ids, the special ones included, from `texts`."""
        encoder = BytePairEncoder(models.BPE())
        encoder.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_PRE_TOKEN), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        encoder.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size - len(_SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
            max_token_length=16,
        )
        encoder.train_from_iterator(texts, trainer)
        return cls(encoder)

    def save(self, path: Path) -> None:
        """Write a `tokenizer.json`."""
        self._encoder.save(str(path), pretty=False)

    @property
    def never_written(self) -> list[int]:
        """The ids that no finished canvas may hold: all special ones but *delete*."""
        return [i for i in range(len(_SPECIAL)) if i != self.delete]

    def begin(self, language: str) -> int:
        """The id that starts every stream of this language, by its LSP id."""
        name = language_of(language).begin
        return _SPECIAL.index(f"begin:{name}" if name else "begin")


def _clean(text: str) -> str:
    """Return `text` as UTF-8 can hold it, each lone surrogate replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def token_bytes(vocabulary: Mapping[str, int]) -> dict[int, bytes]:
    """Return the bytes of every id of a byte-level vocabulary; raise ValueError if it is none.

    Each character of such a token stands for a byte (Radford et al. 2019, GPT-2).
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    if not alphabet.keys() >= set().union(*vocabulary):
        raise ValueError("its tokens are not spelled in bytes")
    return {i: bytes(map(alphabet.__getitem__, token)) for token, i in vocabulary.items()}
