"""A quantized ONNX file of any origin against the rules of a scheme."""

from pathlib import Path

import onnx

from edgecnn.compress.quantize.check import violations
from edgecnn.core.errors import InputError, line_of
from edgecnn.core.registry import resolve


def check_file(path: Path, scheme: str) -> list[str]:
    """Return one sentence for each rule of the scheme that the file breaks; empty if it keeps them all.

    Raises:
        InputError: no scheme is called so, or the file is no ONNX model.
    """
    rules = resolve("scheme", scheme)
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker raise what they like on bytes that are no model
        raise InputError(f"{path}: not a valid ONNX model ({line_of(error, 200)})") from error
    return violations(model, rules)
