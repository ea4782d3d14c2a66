"""ExecuTorch programs (.pte) for the CPU: XNNPACK runs what it takes, ExecuTorch's portable kernels the rest.

INT8 is that of the Q/DQ model: its pairs become the integer operators of XNNPACK with the scales found there, and no
quantizer of ExecuTorch runs. Beside the program lies `model.json`: the names of inputs and outputs, which a program
does not keep, and what XNNPACK took.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx as onnx_package
import onnx_ir as ir
import torch
from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
from executorch.backends.xnnpack.partition.config.generic_node_configs import ConstantPadConfig, SoftmaxConfig
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import EdgeProgramManager, to_edge_transform_and_lower
from executorch.extension.pybindings import _C as runtime  # noqa: N811 - a module
from torch import Tensor

from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.compiled import CompiledFiles
from edgecnn.core.errors import EngineError, line_of
from edgecnn.export.passes.base import run
from edgecnn.export.passes.round_before_concat import RoundBeforeConcat
from edgecnn.export.torch_from_onnx import OnnxModule
from edgecnn.runtime.engines.executorch_files import Description

FILE, DESCRIPTION = "model.pte", "model.json"
PLUMBING = frozenset({"getitem", "executorch_call_delegate"})
ROUNDING = "quantized_decomposed."
WEIGHTS_BACK = f"{ROUNDING}dequantize_per_channel.default"


class FloatPads(ConstantPadConfig):  # type: ignore[misc]
    """Padding that XNNPACK takes by itself; behind a DQ it would write integers where float is read (1.5.1)."""

    def check_constraints(self, node: Any, ep: Any) -> bool:
        """Whether the padding is of float numbers; that of an INT8 convolution goes with the convolution."""
        return ROUNDING not in _called(node.args[0]) and bool(super().check_constraints(node, ep))


class FlatSoftmax(SoftmaxConfig):  # type: ignore[misc]
    """Softmax that XNNPACK takes; it runs along channels where pixels lie channels last, whatever its axis (1.5.1)."""

    def check_constraints(self, node: Any, ep: Any) -> bool:
        """Whether the softmax is of no picture; one of rank 4 is left to ExecuTorch's own kernel."""
        return node.meta["val"].dim() != len("NCHW") and bool(super().check_constraints(node, ep))


OURS = {ConstantPadConfig: FloatPads, SoftmaxConfig: FlatSoftmax}
CONFIGS = [OURS.get(config, config) for config in ALL_PARTITIONER_CONFIGS]


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Write `out`/model.pte and `out`/model.json, the same bytes for the same model.

    Raises:
        EngineError: the precision, an operator or a shape that ExecuTorch has no form of; the message names it.
    """
    if precision == "fp16":
        raise EngineError("executorch: there is no FP16 for this target; take fp32 or int8")
    model = onnx_package.load(onnx)
    try:
        with _quiet(), torch.no_grad():
            model = _prepared(model)
            edge = _lowered(model)
            description = _description(model, edge.exported_program().graph_module)
            program = edge.to_executorch()
    except Exception as error:  # torch and ExecuTorch raise what they like
        raise EngineError(f"executorch refused {onnx.name}: {line_of(error)}") from error
    _check_kernels(onnx.name, program.exported_program().graph_module)
    _try(onnx.name, bytes(program.buffer), _example(model, description.inputs), description)
    atomic.write_bytes(out / FILE, bytes(program.buffer))
    atomic.write_bytes(out / DESCRIPTION, msgspec.json.format(msgspec.json.encode(description)))
    packages = {name: version(name) for name in ("executorch", "torch", "onnx")}
    return CompiledFiles((out / FILE, out / DESCRIPTION), packages)


def _prepared(model: onnx_package.ModelProto) -> onnx_package.ModelProto:
    """Return the model with what XNNPACK can't do as it stands written in another way."""
    read = ir.from_proto(model)
    run(RoundBeforeConcat(), read)
    return ir.to_proto(read)


def _lowered(model: onnx_package.ModelProto) -> EdgeProgramManager:
    """Return the model in ExecuTorch's edge dialect, with what XNNPACK takes handed to it.

    No kernel of ExecuTorch's own reads integer weights: where XNNPACK leaves an INT8 layer, its weights become float.
    """
    edge, module = _partitioned(model, frozenset())
    program = edge.exported_program()
    held = program.graph_signature.inputs_to_buffers
    left = {held[node.args[0].target] for node in _outside(program.graph_module) if _called(node) == WEIGHTS_BACK}
    if not left:
        return edge
    return _partitioned(model, frozenset(name for name, buffer in module.buffer_of.items() if buffer in left))[0]


def _partitioned(
    model: onnx_package.ModelProto, float_weights: frozenset[str]
) -> tuple[EdgeProgramManager, OnnxModule]:
    module = OnnxModule(model, float_weights).eval()
    exported = torch.export.export(module, _example(model, module.input_names), strict=False)
    return to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner(configs=CONFIGS)]), module


def _example(model: onnx_package.ModelProto, names: tuple[str, ...]) -> tuple[Tensor, ...]:
    values = {value.name: value.type.tensor_type for value in model.graph.input}
    shapes = {name: [dim.dim_value for dim in values[name].shape.dim] for name in names}
    types = {name: onnx_package.helper.tensor_dtype_to_np_dtype(values[name].elem_type) for name in names}
    return tuple(torch.from_numpy(np.zeros(shapes[name], types[name])) for name in names)


def _outside(module: Any) -> list[Any]:
    """Return the nodes of a graph module that compute; in a program, those that portable kernels run."""
    called = [node for node in module.graph.nodes if node.op == "call_function"]
    return [node for node in called if _called(node) not in PLUMBING]


def _called(node: Any) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _check_kernels(name: str, module: Any) -> None:
    """Raise unless ExecuTorch has a kernel for each operator outside of XNNPACK: loading would fail without a name."""
    have = set(runtime._get_operator_names())  # noqa: SLF001 - ExecuTorch's whole Python face is underscored
    for node in _outside(module):
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            continue
        kernel = f"{schema.name}.{schema.overload_name}" if schema.overload_name else schema.name
        if kernel not in have and not kernel.startswith("executorch_prim::"):
            raise EngineError(f"executorch refused {name}: it has no kernel for {kernel}; keep it out of the model")


def _try(name: str, data: bytes, example: tuple[Tensor, ...], description: Description) -> None:
    """Raise unless the program runs: kernels tell only then which ranks and shapes they lack."""
    try:
        runtime._load_for_executorch_from_buffer(data).run_method("forward", example)  # noqa: SLF001 - as above
    except RuntimeError as error:
        left = ", ".join(description.portable) or "nothing"
        raise EngineError(
            f"executorch refused {name}: {line_of(error)}; XNNPACK left {left} to kernels that lack its rank or shape"
        ) from error


def _description(model: onnx_package.ModelProto, module: Any) -> Description:
    constants = {one.name for one in model.graph.initializer}
    parts = [part.original_module.graph_module for _, part in module.named_children()]
    taken = Counter(_called(node) for part in parts for node in _outside(part))
    return Description(
        inputs=tuple(value.name for value in model.graph.input if value.name not in constants),
        outputs=tuple(value.name for value in model.graph.output),
        delegates=len(parts),
        delegated={name: count for name, count in sorted(taken.items()) if not name.startswith(ROUNDING)},
        portable=dict(sorted(Counter(map(_called, _outside(module))).items())),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what torch and ExecuTorch say about packages that are not installed and their own deprecations."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
