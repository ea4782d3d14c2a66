"""Models from ONNX's text, compiled for ncnn and compared with ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper, parser

from edgecnn.compile.ncnn_from_onnx import artefact_files
from edgecnn.compile.specs import tensor_specs
from edgecnn.runtime.engines.ncnn import open_engine


def parsed(text, opset=18):
    """Return the model of a graph in ONNX's text; inputs called w... become constants of seeded random numbers."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> graph {text}')
    rng = np.random.default_rng(7)
    for entry in [entry for entry in model.graph.input if entry.name.startswith("w")]:
        shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        array = rng.standard_normal(shape, np.float32) * np.float32(0.5)
        # Variances, for instance, are above zero.
        array = np.abs(array) + np.float32(0.1) if entry.name.startswith("wp") else array
        model.graph.initializer.append(numpy_helper.from_array(array, entry.name))
        model.graph.input.remove(entry)
    for entry in model.graph.output:
        if not all(dim.HasField("dim_value") for dim in entry.type.tensor_type.shape.dim):
            entry.type.tensor_type.ClearField("shape")
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    onnx.checker.check_model(model, full_check=True)
    return model


def compiled(model, precision="fp32"):
    return artefact_files(model, precision)


def opened(model, files, **options):
    return open_engine(files, *tensor_specs(model), {"threads": 1, **options})


def random_feeds(model, seed=0):
    rng = np.random.default_rng(seed)
    return {
        spec.name: rng.integers(0, 256, spec.shape, np.uint8)
        if spec.dtype == "uint8"
        else rng.standard_normal(spec.shape, np.float32)
        for spec in tensor_specs(model)[0]
    }


def expected(model, feeds):
    """Return what ONNX Runtime computes, Q and DQ as they are written."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"], disabled_optimizers=["WeightBiasQuantization"]
    )
    return dict(zip([out.name for out in session.get_outputs()], session.run(None, feeds), strict=True))


def compare(model, precision="fp32", most=2e-5, **options):
    """Assert that ncnn computes what ONNX Runtime does, relative to the largest number; return the files."""
    files = compiled(model, precision)
    engine = opened(model, files, **options)
    for seed in range(2):
        feeds = random_feeds(model, seed)
        wanted = expected(model, feeds)
        for name, array in engine.infer(feeds).items():
            np.testing.assert_allclose(
                array, wanted[name], rtol=0, atol=most * max(np.abs(wanted[name]).max(), 1), err_msg=name
            )
    engine.close()
    return files
