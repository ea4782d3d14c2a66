"""Quantizers side by side: one file a tool, each called as its documentation recommends.

Rows are paths and not imports: a peer that is not installed is a line in the table, not the end of the run.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """A contender.

    Attributes:
        group: contenders of one group are compared with each other, and run in one engine.
        path: `module:function` of what quantizes.
        ours: whether it is edgecnn.
        arguments: what is handed to the function besides the job.
    """

    group: str
    path: str
    ours: bool = False
    arguments: tuple[str, ...] = ()


GROUPS = {"openvino": "openvino", "onnxruntime": "onnxruntime", "tensorrt rules": "onnxruntime"}
"""The engine in which each group is run. TensorRT's rules are run by ONNX Runtime, for accuracy alone."""

OURS, ORT, X86 = "peers.edgecnn_quantizer", "peers.onnxruntime_quantizer", "onnxruntime_x86"
CONTENDERS: dict[str, Row] = {
    "edgecnn plain, openvino": Row("openvino", f"{OURS}:int8", ours=True, arguments=("openvino_cpu", "plain")),
    "edgecnn int8, openvino": Row("openvino", f"{OURS}:int8", ours=True, arguments=("openvino_cpu", "corrected")),
    "edgecnn mixed, openvino": Row("openvino", f"{OURS}:searched", ours=True, arguments=("openvino_cpu", "openvino")),
    "NNCF default": Row("openvino", "peers.nncf_quantizer:default"),
    "NNCF mixed preset": Row("openvino", "peers.nncf_quantizer:mixed_preset"),
    "edgecnn plain, onnxruntime": Row("onnxruntime", f"{OURS}:int8", ours=True, arguments=(X86, "plain")),
    "edgecnn int8, onnxruntime": Row("onnxruntime", f"{OURS}:int8", ours=True, arguments=(X86, "corrected")),
    "edgecnn mixed, onnxruntime": Row("onnxruntime", f"{OURS}:searched", ours=True, arguments=(X86, "onnxruntime")),
    "ORT quantize_static U8S8": Row("onnxruntime", f"{ORT}:u8s8"),
    "ORT quantize_static S8S8": Row("onnxruntime", f"{ORT}:s8s8"),
    "edgecnn plain, tensorrt": Row("tensorrt rules", f"{OURS}:int8", ours=True, arguments=("tensorrt_8", "plain")),
    "edgecnn int8, tensorrt": Row("tensorrt rules", f"{OURS}:int8", ours=True, arguments=("tensorrt_8", "corrected")),
    "ORT TensorRT recipe": Row("tensorrt rules", f"{ORT}:tensorrt_recipe"),
}
