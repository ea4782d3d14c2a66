"""Read an ONNX file and all its weights. Run as a program it is the child in which strangers' files are tried first.

ONNX promises no safety against memory bombs, and its parser and shape inference have crashed on hostile files. So a
child with limits on memory and time reads the file once, to the end; only then does the parent.
"""

import resource
import sys
from pathlib import Path

import onnx
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

SPARE_BYTES = 3 << 30
"""Address space beyond a multiple of the file: the interpreter and its libraries reserve far more than they use."""
SECONDS = 60
BAD = 3
"""Exit status of the child when it has said what is wrong."""


def read(path: Path) -> onnx.ModelProto:
    """Return the model at `path` with its external data in memory, only ever from the file's own folder.

    Raises:
        ValueError: one line that says what is wrong with the file.
    """
    path = path.absolute()
    try:
        model = onnx.load_model(path, load_external_data=False)
    except Exception as error:
        raise ValueError("is no ONNX model, or was cut short") from error
    if not model.ir_version or not model.HasField("graph"):
        raise ValueError("is no ONNX model: it holds no graph")
    for tensor in model.graph.initializer:
        if uses_external_data(tensor):
            _check_place(path.parent, tensor)
    try:
        load_external_data_for_model(model, str(path.parent))
    except Exception as error:
        raise ValueError(f"keeps weights in files that can't be read: {' '.join(str(error).split())[:200]}") from error
    return model


def _check_place(folder: Path, tensor: onnx.TensorProto) -> None:
    place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    found = (folder / place).resolve()
    if not place or not found.is_relative_to(folder.resolve()):
        raise ValueError(f"keeps weights outside its own folder ('{place}'), which is refused")
    if not found.is_file():
        raise ValueError(f"keeps weights in '{place}', which is missing; put that file beside it")


def _main(path: Path) -> int:
    sizes = sum(entry.stat().st_size for entry in path.absolute().parent.glob(f"{path.stem}*") if entry.is_file())
    limit = SPARE_BYTES + 8 * sizes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        model = read(path)
    except ValueError as error:
        sys.stdout.write(str(error))
        return BAD
    try:
        onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
