"""A network's matrices in eight bits: each output channel of a weight has a scale, and so has each row of activations.

The products are torch's own kernels. Which precision a machine gains from, `precision.py` decides.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dllm_lsp.models.network.transformer import Transformer

INT8_TOP = 127.0
NARROW_TOP = 63.0
FP8_TOP = 448.0
"""The largest numbers of the formats (float8_e4m3fn: Micikevicius et al. 2022)."""

_ZERO = 128
"""Stands for zero among the unsigned bytes that activations become on a CPU."""

# It announces its successor, for which there is no such kernel yet. Not caught where it is called, which threads do.
warnings.filterwarnings("ignore", "torch.*quantiz", UserWarning)

_TINY = 1e-8
"""The least scale, so that a row of zeros can be divided by its own."""


class Rows(NamedTuple):
    """A matrix [rows, columns] in int8, and the `scale` [rows] by which its rows are to be multiplied, in float32."""

    rows: Tensor
    scale: Tensor


def quantized(weight: Tensor, top: float = INT8_TOP) -> Rows:
    """Return a matrix [rows, columns] in int8.

    The largest number of each row becomes `top`.
    """
    scale = _row_scale(weight, top)
    return Rows((weight / scale).round_().to(torch.int8), scale[:, 0])


def quantize(
    network: nn.Module, precision: str, device: torch.device, kept: tuple[type[nn.Module], ...] = ()
) -> None:
    """Put a network's matrices and embeddings onto a device as "int8" or "fp8", one at a time, and the rest too.

    Modules of the types `kept` keep their matrices as they are, and so does what is quantized already.
    """
    kind = Fp8Linear if precision == "fp8" else Int8Linear if device.type != "cpu" else PackedLinear
    for module in [module for module in network.modules() if not isinstance(module, kept)]:
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                setattr(module, name, kind(child.weight.to(device), child.bias))
        if isinstance(module, Transformer) and isinstance(module.embedding, nn.Embedding):
            _quantize_embedding(module, kind, device)
    network.to(device)


def _quantize_embedding(transformer: Transformer, kind: type[nn.Module], device: torch.device) -> None:
    weight = transformer.embedding.weight.to(device)
    embedding = Int8Embedding(weight)
    transformer.embedding = embedding  # type: ignore[assignment]
    if (
        transformer.head is None
    ):  # the same weights, but only Int8Linear's kernel takes them as they lie there
        head = TiedHead(embedding) if kind is Int8Linear else kind(weight, None)
        transformer.head = head  # type: ignore[assignment]


def fill_packed(
    transformer: Transformer, matrices: Mapping[str, Rows], vectors: Mapping[str, Tensor]
) -> None:
    """Fill a network that has no values yet, on a CPU, with what was quantized before, by names of its parameters.

    The matrices are packed on as many threads as torch has. Nothing of what is given is kept.
    """
    embedding = matrices["embedding.weight"]
    transformer.embedding = Int8Embedding(  # type: ignore[assignment]
        Rows(embedding.rows.clone(), embedding.scale.clone())
    )

    def pack(name: str) -> PackedLinear:
        bias = vectors.get(f"{name}.bias")
        return PackedLinear(matrices[f"{name}.weight"], bias if bias is None else bias.clone())

    names = [name.removesuffix(".weight") for name in matrices if name != "embedding.weight"]
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for name, packed in zip(names, threads.map(pack, names), strict=True):
            owner, _, attribute = name.rpartition(".")
            setattr(transformer.get_submodule(owner), attribute, packed)
    transformer.load_state_dict(
        {name: vector.clone() for name, vector in vectors.items()}, strict=False, assign=True
    )


def packed_rows(transformer: Transformer) -> dict[str, Rows]:
    """Return the matrices of a network that was quantized on a CPU, by names of a network's parameters."""
    found = {}
    for name, module in transformer.named_modules():
        if isinstance(module, Int8Embedding):
            found[f"{name}.weight"] = Rows(module.rows, module.scale)
        elif isinstance(module, PackedLinear):
            found[f"{name}.weight"] = module.unpacked()
    return found


class Int8Embedding(nn.Module):
    """An embedding in int8."""

    rows: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor | Rows) -> None:
        super().__init__()
        rows, scale = weight if isinstance(weight, Rows) else quantized(weight)
        self._dtype = torch.float32 if isinstance(weight, Rows) else weight.dtype
        self.register_buffer("rows", rows)
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the embeddings [..., width] of ids [...]."""
        return (self.rows[ids] * self.scale[ids][..., None]).to(self._dtype)


class TiedHead(nn.Module):
    """An output head whose weights are an embedding's, without a copy of them."""

    def __init__(self, embedding: Int8Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., width] to logits [..., vocabulary]."""
        return _int8_product(x, self.embedding.rows, self.embedding.scale).to(x.dtype)


class PackedLinear(nn.Module):
    """A linear layer on a CPU, in the layout of its own int8 kernels.

    They know one scale for all activations. A row far larger than the others, as that of a sink token is, would leave
    the others few of the 256 steps. So every row is divided by its own largest number before, and multiplied with it
    after.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor | Rows, bias: Tensor | None) -> None:
        super().__init__()
        rows, scale = weight if isinstance(weight, Rows) else quantized(weight, packed_top())
        zeros = torch.zeros(len(scale), dtype=torch.int64)
        # Several times as fast as `torch.quantize_per_channel`.
        stored = torch._make_per_channel_quantized_tensor(rows, scale.double(), zeros, 0)
        self._packed = torch.ops.quantized.linear_prepack(stored, None)
        self.register_buffer("bias", None if bias is None else bias.float())

    def unpacked(self) -> Rows:
        """Return the matrix as it was before it was packed."""
        stored, _ = torch.ops.quantized.linear_unpack(self._packed)
        return Rows(stored.int_repr(), stored.q_per_channel_scales().float())

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., in] in float32 to [..., out]."""
        largest = x.abs().amax(-1, keepdim=True).clamp_(min=_TINY)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        out: Tensor = product(x / largest, 1 / INT8_TOP, _ZERO, self._packed).mul_(largest)
        return out if self.bias is None else out.add_(self.bias)


def packed_top() -> float:
    """Return the largest weight: without VNNI two products of eight bits overflow the kernels' sums of sixteen."""
    return INT8_TOP if torch.cpu._is_vnni_supported() else NARROW_TOP


class Int8Linear(nn.Module):
    """A linear layer in int8 on a GPU."""

    rows: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        rows, scale = quantized(weight)
        self.register_buffer("rows", rows)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., in] to [..., out]."""
        out = _int8_product(x, self.rows, self.scale).to(x.dtype)
        return out if self.bias is None else out + self.bias


class Fp8Linear(nn.Module):
    """A linear layer in float8_e4m3fn, for GPUs since Ada and Hopper."""

    rows: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        scale = _row_scale(weight, FP8_TOP)
        self.register_buffer("rows", (weight / scale).to(torch.float8_e4m3fn))
        self.register_buffer("scale", scale.t().contiguous())
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., in] to [..., out]."""
        given = x.flatten(0, -2)
        scale = _row_scale(given, FP8_TOP)
        out = torch._scaled_mm(
            (given / scale).to(torch.float8_e4m3fn),
            self.rows.t(),
            scale_a=scale,
            scale_b=self.scale,
            bias=self.bias,
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )
        return out.to(x.dtype).view(*x.shape[:-1], -1)


_ROWS = 32
"""On a GPU the kernel takes no fewer than 17, and is at home with multiples of 8."""


def _int8_product(x: Tensor, rows: Tensor, scale: Tensor) -> Tensor:
    """Multiply x [..., in] by rows [out, in] with their scale [out]; return [..., out] in float32."""
    given = x.flatten(0, -2)
    own = _row_scale(given, INT8_TOP)
    whole = (given / own).round().to(torch.int8)
    if x.is_cuda:
        whole = F.pad(whole, (0, 0, 0, -len(whole) % _ROWS))
    product = torch._int_mm(whole, rows.t())[: len(given)]
    return (product * own * scale).view(*x.shape[:-1], -1)


def _row_scale(x: Tensor, top: float) -> Tensor:
    """Return, in float32, what the rows of x [..., columns] are divided by to fit into [-top, top]: [..., 1]."""
    return (x.abs().amax(-1, keepdim=True).float() / top).clamp(min=_TINY)
