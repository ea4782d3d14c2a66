"""One artefact: a model in its precision, compiled for its target, as the bundle will list it."""

from pathlib import Path, PurePosixPath

import onnx

from edgecnn.compile.compiled import CompiledFiles, CompileModel
from edgecnn.compile.specs import tensor_specs
from edgecnn.core.bundle import Artefact, Precision
from edgecnn.core.registry import TARGETS, import_entry


def compile_artefact(
    name: str, target: str, precision: Precision, source: Path, scratch: Path
) -> tuple[Artefact, CompiledFiles]:
    """Compile the ONNX file `source` into `scratch`/`name` and return the artefact and its files, in equal order.

    Raises:
        EngineError: the target's compiler refused the model.
        StageError: a shape of the model is not fixed.
    """
    compile_model: CompileModel = import_entry(TARGETS[target].compiler, f"target '{target}'")
    inputs, outputs = tensor_specs(onnx.load(source, load_external_data=False))
    compiled = compile_model(source, scratch / name, precision)
    artefact = Artefact(
        name=name,
        engine=TARGETS[target].engine,
        precision=precision,
        files=tuple((PurePosixPath("artefacts") / name / file.name).as_posix() for file in compiled.files),
        inputs=inputs,
        outputs=outputs,
        options=dict(TARGETS[target].options),
    )
    return artefact, compiled
