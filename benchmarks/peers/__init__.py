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

OURS, ORT = "peers.edgecnn_quantizer", "peers.onnxruntime_quantizer"
CONTENDERS: dict[str, Row] = {
    "edgecnn int8, openvino": Row("openvino", f"{OURS}:plain", ours=True, arguments=("openvino_cpu",)),
    "NNCF default": Row("openvino", "peers.nncf_quantizer:default"),
    "NNCF mixed preset": Row("openvino", "peers.nncf_quantizer:mixed_preset"),
    "edgecnn int8, onnxruntime": Row("onnxruntime", f"{OURS}:plain", ours=True, arguments=("onnxruntime_x86",)),
    "ORT quantize_static U8S8": Row("onnxruntime", f"{ORT}:u8s8"),
    "ORT quantize_static S8S8": Row("onnxruntime", f"{ORT}:s8s8"),
    "edgecnn int8, tensorrt": Row("tensorrt rules", f"{OURS}:plain", ours=True, arguments=("tensorrt_8",)),
    "ORT TensorRT recipe": Row("tensorrt rules", f"{ORT}:tensorrt_recipe"),
}
