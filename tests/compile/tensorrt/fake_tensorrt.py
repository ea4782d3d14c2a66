"""TensorRT's Python module as its real bindings show it (api/*.json), recording every call, computing in ONNX Runtime.

Members and signatures are the real ones: a name, a number or a type of arguments that the real bindings do not take is
refused here too. What the objects do is modelled on what is known of TensorRT, not proven by it: the parser reads ONNX,
a plan is that ONNX with the flags it was built with, and an execution context runs it on the fake device's memory.
"""

import enum
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime as ort

API = Path(__file__).parent / "api"
VERSIONS = {8: "8.6.1", 10: "10.3.0", 11: "11.4.0"}
MOST_OPSET = {8: 17, 10: 20, 11: 25}
_DTYPES = {
    "FLOAT": "FLOAT",
    "FLOAT16": "HALF",
    "INT8": "INT8",
    "INT32": "INT32",
    "INT64": "INT64",
    "BOOL": "BOOL",
    "UINT8": "UINT8",
    "DOUBLE": "FLOAT",
}
_PLAIN = {
    "Dims": tuple,
    "bool": bool,
    "buffer": bytes,
    "int": int,
    "str": str,
    "tuple": tuple,
    "typing.SupportsInt": int,
    "typing_extensions.Buffer": bytes,
}
_SIGNATURE = re.compile(r"(?:\d+\. )?(\w+)\((.*)\) -> (.+)")


def api_of(version: int) -> dict:
    """Return the committed names and signatures of a major version."""
    return json.loads((API / f"{VERSIONS[version]}.json").read_text())


class _Enum(enum.Enum):
    def __int__(self):
        return int(self.value)


class FakeTensorRt:
    """The module and what was done with it.

    Attributes:
        module: stands in for `tensorrt`.
        calls: every call and every property that was set, in order, as text.
        dla_cores: of the device; `off_dla` are operators that it can't run.
        fail: methods that are to fail, as `Class.method`, with what the logger is told.
        int8_units: whether the GPU has them.
        said: what the builder logs in passing while it builds, at INFO.
    """

    def __init__(self, version: int, cuda):
        self.version, self.api, self.logger = version, api_of(version), None
        self.restart(cuda)
        self.enums = {name: _Enum(name, members) for name, members in self.api["enums"].items()}
        self.classes = {name: self._class(name) for name in self.api["classes"]}
        self.classes["ILogger"].Severity = self.enums.pop("ILogger.Severity")
        self.module = SimpleNamespace(
            __version__=self.api["version"],
            **self.enums,
            **self.classes,
            init_libnvinfer_plugins=self._plugins,
        )

    def restart(self, cuda):
        """Forget what was done, on another CUDA."""
        self.cuda, self.calls, self.fail, self.said = cuda, [], {}, []
        self.dla_cores, self.off_dla, self.int8_units = 0, set(), True

    def say(self, severity, text):
        """Log as TensorRT does."""
        self.logger.log(getattr(self.classes["ILogger"].Severity, severity), text)

    def _plugins(self, logger, namespace):
        self.logger = logger
        self.calls.append(f"init_libnvinfer_plugins({namespace!r})")
        return "init_libnvinfer_plugins" not in self.fail

    def _class(self, name):
        members = self.api["classes"][name]
        space = {"_fake": self, "_kind": name, "__slots__": ("__dict__",)}
        for member, told in members.items():
            if isinstance(told, dict):
                space[member] = self._property(name, member, writable=told["writable"])
            elif name not in {"ILogger", "IProfiler"}:
                space[member] = self._method(name, member, told)
        if name in {"ILogger", "IProfiler"}:
            space["__init__"] = lambda this: this.__dict__.update(based=True)
        elif "__init__" not in members:
            space["__init__"] = self._unmade
        return type(name, (), space)

    @staticmethod
    def _unmade(*_):
        raise TypeError("No constructor defined!")

    def _property(self, name, member, *, writable):
        def read(this):
            if member not in this.__dict__:
                this.__dict__[member] = _DEFAULTS.get((name, member), lambda this: None)(this)
            return this.__dict__[member]

        def write(this, value):
            assert writable, f"{name}.{member} can't be set"
            shown = value.name if isinstance(value, _Enum) else type(value).__name__ if member == "profiler" else value
            self.calls.append(f"{name}.{member} = {shown}")
            this.__dict__[member] = value

        return property(read, write if writable else None)

    def _method(self, name, member, overloads):
        forms = [_parameters(text) for text in overloads]
        behave = _BEHAVIOUR.get((name, member))

        def call(this, *arguments):
            assert any(self._fits(form, arguments) for form, _ in forms), f"{overloads} was given {arguments}"
            self.calls.append(f"{name}.{member}({', '.join(map(_shown, arguments))})")
            if f"{name}.{member}" in self.fail:
                words = self.fail[f"{name}.{member}"]
                if words:
                    self.say("ERROR", words)
                if member == "__init__":
                    raise TypeError("pybind11::init(): factory function returned nullptr")
                return False if forms[0][1] == "bool" else None
            if behave is None:
                return None
            return behave(this, *arguments)

        return call

    def _fits(self, form, arguments):
        least = sum(default is None for _, default in form)
        return least <= len(arguments) <= len(form) and all(
            self._takes(kind, value) for (kind, _), value in zip(form, arguments, strict=False)
        )

    def _takes(self, kind, value):
        known = {**self.enums, **self.classes, **_PLAIN}
        fits = isinstance(value, known.get(kind, object)) and (type(value) is not bool or kind == "bool")
        if kind in {"Dims", "tuple"}:
            return fits and all(type(size) is int for size in value)
        return fits and (kind != "ILogger" or value.__dict__.get("based", False))

    def new(self, kind, **state):
        """Return an object of a class that only the module itself makes."""
        made = object.__new__(self.classes[kind])
        made.__dict__.update(state)
        return made


def _parameters(text):
    """Return a docstring signature as [(type, default or None)] without `self`, and its result's type."""
    _, inside, result = _SIGNATURE.fullmatch(text).groups()
    found, depth, part = [], 0, ""
    for sign in [*inside, ","]:
        depth += (sign in "[<(") - (sign in "]>)")
        if sign == "," and depth == 0:
            found.append(part.strip())
            part = ""
        else:
            part += sign
    forms = []
    for one in found[1:]:
        kind, _, default = one.partition(": ")[2].partition(" = ")
        forms.append((kind.removeprefix("nvonnxparser::").removeprefix("nvinfer1::"), default or None))
    return forms, result


def _shown(value):
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>" if value else "b''"
    if isinstance(value, _Enum):
        return value.name
    return repr(value) if isinstance(value, int | str | tuple | bool) else type(value).__name__


class _HostMemory(bytes):
    """Bytes behind the buffer protocol, without a length of its own in the real thing."""

    @property
    def nbytes(self):
        return super().__len__()


def _init_builder(this, logger):
    this.__dict__.update(logger=logger)
    this._fake.logger = logger


def _create_network(this, flags=0):
    fake = this._fake
    strong = {8: False, 10: bool(flags & 2), 11: True}[fake.version]
    if fake.version == 8:
        assert flags & 1, "implicit batch is not for ONNX"
    return fake.new("INetworkDefinition", strong=strong, model=None)


def _init_parser(this, network, logger):
    this.__dict__.update(network=network, num_errors=0, error="")


def _parse(this, model):
    fake, network = this._fake, this.network
    try:
        found = onnx.load_from_string(model)
        onnx.checker.check_model(found)
        opset = max(entry.version for entry in found.opset_import)
        wrong = f"opset {opset} is not supported" if opset > MOST_OPSET[fake.version] else ""
    except Exception as error:  # noqa: BLE001
        wrong = str(error) or "no model"
    if wrong:
        this.__dict__.update(num_errors=1, error=f"ModelImporter: {wrong}")
        return False
    network.__dict__.update(model=found, inputs={}, outputs={})
    network.__dict__.update(num_layers=len(found.graph.node))
    constants = {one.name for one in found.graph.initializer}
    for kind, values in (("inputs", found.graph.input), ("outputs", found.graph.output)):
        for value in values:
            if value.name in constants:
                continue
            shape = tuple(dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim)
            network.__dict__[kind][value.name] = fake.new("ITensor", name=value.name, shape=shape)
    network.__dict__.update(num_inputs=len(network.inputs), num_outputs=len(network.outputs))
    return True


def _layer(this, index):
    node, kinds = this.model.graph.node[index], this._fake.enums["LayerType"]
    kind = {"QuantizeLinear": kinds.QUANTIZE, "DequantizeLinear": kinds.DEQUANTIZE}.get(node.op_type, kinds.ACTIVATION)
    return this._fake.new("ILayer", name=node.name or node.output[0], type=kind, operator=node.op_type)


def _flag(this, flag, *, on):
    this.__dict__.setdefault("flags", set(_START_FLAGS))
    (this.flags.add if on else this.flags.discard)(flag.name)


_START_FLAGS = ("TF32",)


def _build(this, network, config):
    fake = this._fake
    flags = config.__dict__.get("flags", set(_START_FLAGS))
    quantized = any(node.op_type == "QuantizeLinear" for node in network.model.graph.node)
    if network.strong and flags & {"FP16", "INT8"}:
        fake.say("ERROR", "strongly typed network can't have precision flags")
        return None
    if not network.strong and quantized and "INT8" not in flags:
        fake.say("ERROR", "Q/DQ need the INT8 flag")
        return None
    free = [name for name, tensor in network.inputs.items() if -1 in tensor.shape]
    if free and not config.__dict__.get("profiles"):
        fake.say("ERROR", "Network has dynamic or shape inputs, but no optimization profile has been defined.")
        return None
    for line in fake.said:
        fake.say("INFO", line)
    told = {"version": fake.module.__version__, "flags": sorted(flags), "strong": network.strong}
    config.__dict__["timed"] = b"timed " + fake.module.__version__.encode()
    return _HostMemory(json.dumps(told).encode() + b"\n" + network.model.SerializeToString())


def _set_timing_cache(this, cache, ignore_mismatch):
    fits = not cache.content or cache.content == b"timed " + this._fake.module.__version__.encode()
    if fits:
        this.__dict__["cache"] = cache
    return fits


def _get_timing_cache(this):
    return this._fake.new("ITimingCache", content=this.__dict__.get("timed", b""))


def _deserialize(this, plan):
    fake = this._fake
    head, _, model = plan.partition(b"\n")
    try:
        told = json.loads(head)
        session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001
        fake.say("ERROR", "Serialization assertion magicTagRead == kMAGIC_TAG failed. Magic tag does not match")
        return None
    if told["version"] != fake.module.__version__:
        fake.say("ERROR", "The engine plan file is not compatible with this version of TensorRT")
        return None
    values = [*[(True, one) for one in session.get_inputs()], *[(False, one) for one in session.get_outputs()]]
    tensors = {one.name: (given, one) for given, one in values}
    names = [node.name or node.output[0] for node in onnx.load_from_string(model).graph.node]
    return fake.new(
        "ICudaEngine", session=session, tensors=tensors, num_io_tensors=len(tensors), names=names, told=told
    )


def _tensor_dtype(this, name):
    kind = this.tensors[name][1].type.removeprefix("tensor(").removesuffix(")")
    known = {"float": "FLOAT", "float16": "HALF", "double": "FLOAT"}.get(kind, kind.upper())
    if known == "INT64" and this._fake.version == 8:
        known = "INT32"
    return this._fake.enums["DataType"][known]


def _tensor_shape(this, name):
    return tuple(size if isinstance(size, int) else -1 for size in this.tensors[name][1].shape)


def _create_context(this):
    return this._fake.new("IExecutionContext", engine=this, shapes={}, addresses={}, warm=False)


def _set_input_shape(this, name, shape):
    fixed = _tensor_shape(this.engine, name)
    fits = len(fixed) == len(shape) and all(a in {-1, b} for a, b in zip(fixed, shape, strict=True))
    if fits:
        this.shapes[name] = shape
    else:
        this._fake.say("ERROR", "IExecutionContext::setInputShape: Error Code 3: static dimension mismatch")
    return fits


def _context_shape(this, name):
    shape = this.shapes.get(name) or _tensor_shape(this.engine, name)
    return tuple(next(iter(this.shapes.values()))[0] if size == -1 else size for size in shape)


def _execute(this, handle):
    fake, cuda, engine = this._fake, this._fake.cuda, this.engine
    assert handle != 0, "the default stream"
    assert cuda.stream(handle)["flags"] == 1
    if set(this.addresses) != set(engine.tensors):
        fake.say("ERROR", "Error Code 3: address is not set")
        return False
    captures = cuda.stream(handle)["capturing"] is not None
    if captures and ("capture" in fake.fail or not this.warm or this.__dict__.get("profiler") is not None):
        fake.say("ERROR", fake.fail.get("capture", "operation not permitted when stream is capturing"))
        return False
    this.__dict__["warm"] = True
    cuda.put(handle, lambda: _compute(this))
    return True


def _compute(this):
    cuda, engine = this._fake.cuda, this.engine
    feeds = {}
    for one in engine.session.get_inputs():
        shape, dtype = this.shapes[one.name], _numpy(engine, one.name)
        memory = cuda.bytes_at(this.addresses[one.name], 1)
        array = np.frombuffer(memory, dtype, int(np.prod(shape))).reshape(shape)
        wanted = one.type.removeprefix("tensor(").removesuffix(")")
        feeds[one.name] = array.astype({"float": "float32", "double": "float64"}.get(wanted, wanted))
    for one, value in zip(engine.session.get_outputs(), engine.session.run(None, feeds), strict=True):
        data = np.ascontiguousarray(value.astype(_numpy(engine, one.name))).tobytes()
        cuda.bytes_at(this.addresses[one.name], len(data))[: len(data)] = data
    profiler = this.__dict__.get("profiler")
    if profiler is not None:
        assert profiler.__dict__.get("based"), "IProfiler.__init__ was not called"
        for name in engine.names:
            profiler.report_layer_time(name, 0.25)


def _numpy(engine, name):
    kind = _tensor_dtype(engine, name).name
    return {"FLOAT": "float32", "HALF": "float16", "BOOL": "bool"}.get(kind, kind.lower())


def _information(this, layout):
    fake, names = this._fake, this.engine.names
    layers = [{"Name": name, "LayerType": "CaskConvolution", "TacticName": "sm80_sparse_conv"} for name in names]
    ends = {"I/O Tensors": [{"Name": n} for n in this.engine.tensors]} if fake.version == 11 else {}
    return json.dumps({"Layers": layers, **(ends or {"Bindings": list(this.engine.tensors)})})


_DEFAULTS = {
    ("Builder", "num_DLA_cores"): lambda this: this._fake.dla_cores,
    ("Builder", "platform_has_fast_int8"): lambda this: this._fake.int8_units,
}
_BEHAVIOUR = {
    ("Builder", "__init__"): _init_builder,
    ("Builder", "create_network"): _create_network,
    ("Builder", "create_builder_config"): lambda this: this._fake.new("IBuilderConfig"),
    ("Builder", "create_optimization_profile"): lambda this: this._fake.new("IOptimizationProfile", shapes={}),
    ("Builder", "build_serialized_network"): _build,
    ("OnnxParser", "__init__"): _init_parser,
    ("OnnxParser", "parse"): _parse,
    ("OnnxParser", "get_error"): lambda this, index: this._fake.new("ParserError", text=this.error),
    ("ParserError", "desc"): lambda this: this.text,
    ("ParserError", "node"): lambda this: 3,
    ("ParserError", "node_name"): lambda this: "conv1",
    ("ParserError", "node_operator"): lambda this: "Conv",
    ("INetworkDefinition", "get_input"): lambda this, index: list(this.inputs.values())[index],
    ("INetworkDefinition", "get_output"): lambda this, index: list(this.outputs.values())[index],
    ("INetworkDefinition", "get_layer"): _layer,
    ("IBuilderConfig", "set_flag"): lambda this, flag: _flag(this, flag, on=True),
    ("IBuilderConfig", "clear_flag"): lambda this, flag: _flag(this, flag, on=False),
    ("IBuilderConfig", "create_timing_cache"): lambda this, data: this._fake.new("ITimingCache", content=data),
    ("IBuilderConfig", "set_timing_cache"): _set_timing_cache,
    ("IBuilderConfig", "get_timing_cache"): _get_timing_cache,
    ("IBuilderConfig", "can_run_on_DLA"): lambda this, layer: layer.operator not in this._fake.off_dla,
    ("IBuilderConfig", "add_optimization_profile"): lambda this, profile: (
        this.__dict__.setdefault("profiles", []).append(profile) or len(this.profiles) - 1
    ),
    ("IOptimizationProfile", "set_shape"): lambda this, name, *shapes: this.shapes.update({name: shapes}),
    ("ITimingCache", "serialize"): lambda this: _HostMemory(this.content),
    ("Runtime", "__init__"): lambda this, logger: this.__dict__.update(logger=logger),
    ("Runtime", "deserialize_cuda_engine"): _deserialize,
    ("ICudaEngine", "create_engine_inspector"): lambda this: this._fake.new("EngineInspector", engine=this),
    ("ICudaEngine", "create_execution_context"): _create_context,
    ("ICudaEngine", "get_tensor_dtype"): _tensor_dtype,
    ("ICudaEngine", "get_tensor_location"): lambda this, name: this._fake.enums["TensorLocation"].DEVICE,
    ("ICudaEngine", "get_tensor_mode"): lambda this, name: this._fake.enums["TensorIOMode"][
        "INPUT" if this.tensors[name][0] else "OUTPUT"
    ],
    ("ICudaEngine", "get_tensor_name"): lambda this, index: list(this.tensors)[index],
    ("ICudaEngine", "get_tensor_shape"): _tensor_shape,
    ("IExecutionContext", "set_input_shape"): _set_input_shape,
    ("IExecutionContext", "infer_shapes"): lambda this: [],
    ("IExecutionContext", "get_tensor_shape"): _context_shape,
    ("IExecutionContext", "set_tensor_address"): lambda this, name, memory: (
        this.addresses.update({name: memory}) or True
    ),
    ("IExecutionContext", "execute_async_v3"): _execute,
    ("EngineInspector", "get_engine_information"): _information,
}
