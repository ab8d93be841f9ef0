"""An adapter in a folder: low-rank matrices that are added to those of a base (Hu et al. 2021, arXiv:2106.09685).

The folder is as PEFT writes one: `adapter_config.json`, and `adapter_model.safetensors` with its names of tensors. What
is ours lies beside, in `dllm.json`: which base it belongs to, its own fingerprint, which tensor is the embedding of the
mask, and the trainer's notes. Reading needs no PEFT and no weights of the base.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from msgspec import Meta, Struct, convert, json
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from dllm_lsp.fingerprints import Hash, hashed
from dllm_lsp.models.adapted.network import Factors
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.layouts import QWEN, Layout
from dllm_lsp.models.checkpoints.vocabulary import read_json
from dllm_lsp.models.checkpoints.weights import Place, mismatches, opened, shapes_in, unfilled
from dllm_lsp.models.network.transformer import Count, Transformer, TransformerConfig

CONFIG, WEIGHTS, RECORD = "adapter_config.json", "adapter_model.safetensors", "dllm.json"

_PREFIX, _DOWN, _UP, _MASK = "base_model.model.", ".lora_A.weight", ".lora_B.weight", "mask"
_UNUSED = (
    "use_rslora",
    "use_dora",
    "use_qalora",
    "lora_bias",
    "fan_in_fan_out",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "layers_to_transform",
    "layer_replication",
    "exclude_modules",
    "target_parameters",
    "trainable_token_indices",
)
"""Settings of PEFT that change what the matrices mean, or add others."""

_Read = TypeVar("_Read", bound=Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """Factors by the published name of their matrix, such as "model.layers.0.self_attn.q_proj", PEFT's scale included.

    `mask` [width] is the embedding of the mask. `base` is the fingerprint of the weights that it was trained on,
    `metadata` the trainer's notes, as JSON.
    """

    factors: Mapping[str, Factors]
    mask: Tensor
    base: str
    fingerprint: str
    metadata: Mapping[str, Any]


class _Config(Struct, frozen=True):
    """What is read of PEFT's file. Settings in `_UNUSED` are looked for apart from this."""

    peft_type: Literal["LORA"]
    r: Count
    lora_alpha: Annotated[float, Meta(gt=0)]
    target_modules: Annotated[list[str], Meta(min_length=1)]
    bias: Literal["none"] = "none"
    init_lora_weights: bool | Literal["gaussian"] = True  # other ways to begin change the base too


class _Record(Struct, frozen=True, forbid_unknown_fields=True):
    """Our own file."""

    base: Hash
    fingerprint: Hash
    mask: str
    metadata: dict[str, Any] = {}
    calibration: dict[str, Any] = {}  # what the engine keeps here


def read_adapter(folder: Path, base: str, network: TransformerConfig, layout: Layout = QWEN) -> Adapter:
    """Read an adapter for a base of this fingerprint, shape and naming.

    Raises CheckpointError for one that is another base's, is damaged, or holds anything that is not understood.
    """
    config, record = _config(folder / CONFIG), _read(folder / RECORD, _Record)
    if record.base != base:
        raise CheckpointError(
            f"the adapter in {folder} belongs to a base of fingerprint {record.base[:16]}, and the weights it is to "
            f"be used with are {base[:16]}: take an adapter that was trained on them"
        )
    targets = _targets(folder / CONFIG, config, _matrices(network, layout))
    tensors = _tensors(folder / WEIGHTS, _shapes(config.r, targets) | {record.mask: (network.width,)})
    if hashed([folder / CONFIG, folder / WEIGHTS]) != record.fingerprint:
        raise CheckpointError(f"the adapter in {folder} is not what {RECORD} says: its files were changed")
    scale = config.lora_alpha / config.r
    return Adapter(
        factors={
            name: Factors(tensors[_PREFIX + name + _DOWN], _scaled(tensors[_PREFIX + name + _UP], scale))
            for name in targets
        },
        mask=tensors[record.mask],
        base=base,
        fingerprint=record.fingerprint,
        metadata=record.metadata,
    )


def stored_fingerprint(folder: Path) -> str | None:
    """Return the fingerprint of the adapter in a folder, None if that holds none."""
    path = folder / RECORD
    return _read(path, _Record).fingerprint if path.is_file() else None


def write_adapter(
    folder: Path,
    *,
    factors: Mapping[str, Factors],
    mask: Tensor,
    base: str,
    base_name: str,
    metadata: Mapping[str, Any],
) -> str:
    """Write an adapter as `read_adapter` reads it, tensors in their own types, and return its fingerprint.

    The targets of every layer are the same. `base_name` is for people and for PEFT. Files are replaced as a whole.
    """
    tensors = {_MASK: mask} | {
        _PREFIX + name + end: value
        for name, pair in factors.items()
        for end, value in zip((_DOWN, _UP), pair, strict=True)
    }
    rank = len(next(iter(factors.values())).down)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.rpartition(".")[2] for name in factors}),
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    _replace(folder / WEIGHTS, save(stored, {"format": "pt"}))
    _replace(folder / CONFIG, _formatted(config))
    fingerprint = hashed([folder / CONFIG, folder / WEIGHTS])
    record = _Record(base=base, fingerprint=fingerprint, mask=_MASK, metadata=dict(metadata))
    _replace(folder / RECORD, _formatted(record))  # the last, so that what is half written is refused
    return fingerprint


def stacked(
    factors: Mapping[str, Factors], network: TransformerConfig, layout: Layout = QWEN
) -> dict[str, list[Factors]]:
    """Return factors by the name of their matrix in `Transformer`, for each that it stacks, in order.

    A matrix that is stacked together with a target, but is no target itself, gets factors of zeros.
    """
    down, up = next(iter(factors.values()))
    found: dict[str, dict[int, Factors]] = defaultdict(dict)
    touched = set()
    for name, (rows, columns) in _matrices(network, layout).items():
        place = layout.place(f"{name}.weight", network)
        assert place is not None, "one of the layout's own"
        nothing = Factors(down.new_zeros(len(down), columns), up.new_zeros(rows, len(down)))
        found[place.parameter][place.start] = factors.get(name, nothing)
        if name in factors:
            touched.add(place.parameter)
    return {name: [part for _, part in sorted(found[name].items())] for name in touched}


def _config(path: Path) -> _Config:
    for key, value in read_json(path).items():
        if key in _UNUSED and value:
            raise CheckpointError(f"{path} has {key} = {value}, which is not supported")
    return _read(path, _Config)


def _read(path: Path, kind: type[_Read]) -> _Read:
    if not path.is_file():
        raise CheckpointError(f"the adapter in {path.parent} lacks {path.name}")
    try:
        return convert(read_json(path), kind)
    except ValueError as error:
        raise CheckpointError(f"{path} describes no adapter that can be used: {error}") from error


def _matrices(network: TransformerConfig, layout: Layout) -> dict[str, torch.Size]:
    """Return the shapes [out, in] of all matrices in a network's layers, by their published names."""
    with unfilled():
        parameters = Transformer(network).state_dict()
    found = {}
    for layer in range(network.layers):
        for module in layout.block:
            name = f"{layout.layers}.{layer}.{module}"
            place = layout.place(f"{name}.weight", network)
            if place is not None and place.parameter in parameters:
                found[name] = place.of(parameters).shape
    return {name: shape for name, shape in found.items() if len(shape) == 2}


def _targets(path: Path, config: _Config, matrices: Mapping[str, torch.Size]) -> dict[str, torch.Size]:
    """Return the matrices that are changed: those whose names end with a target; raise CheckpointError."""
    found: dict[str, torch.Size] = {}
    for target in config.target_modules:
        meant = {name: shape for name, shape in matrices.items() if f".{name}".endswith(f".{target}")}
        if not meant:
            known = ", ".join(sorted({name.rpartition(".")[2] for name in matrices}))
            raise CheckpointError(f'{path} targets "{target}", but the base has only {known}')
        found |= meant
    return found


def _shapes(rank: int, targets: Mapping[str, torch.Size]) -> dict[str, tuple[int, ...]]:
    """Return what the tensors must be."""
    wanted: dict[str, tuple[int, ...]] = {}
    for name, (rows, columns) in targets.items():
        wanted |= {_PREFIX + name + _DOWN: (rank, columns), _PREFIX + name + _UP: (rows, rank)}
    return wanted


def _tensors(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read the tensors of these shapes, and no others; raise CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"the adapter in {path.parent} lacks {path.name}")
    shapes = shapes_in(path)
    wanted = {name: torch.empty(shape, device="meta") for name, shape in expected.items()}
    if problems := mismatches(wanted, {name: Place(name) for name in shapes}, shapes):
        raise CheckpointError(f"{path} does not fit {CONFIG} and the base: {'; '.join(problems)}")
    with opened(path) as file:
        try:
            tensors = {name: file.get_tensor(name) for name in expected}
        except SafetensorError as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error
    for name, value in tensors.items():
        if not value.is_floating_point() or not value.isfinite().all():
            raise CheckpointError(f"{path} holds values that are not finite numbers, in {name}")
    return tensors


def _scaled(up: Tensor, scale: float) -> Tensor:
    """Return a factor with the scale in it, in float32 unless that is one."""
    return up if scale == 1 else up.float() * scale


def _formatted(content: object) -> bytes:
    return json.format(json.encode(content)) + b"\n"


def _replace(path: Path, content: bytes) -> None:
    written = path.with_name(f"{path.name}.new")
    written.write_bytes(content)
    written.replace(path)
