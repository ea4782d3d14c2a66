"""trtexec's command lines, for boards whose Python has no TensorRT: the same settings, in the flags that it knows.

What a trtexec knows stands in its `--help`, and that decides here, not its version: `--memPoolSize` came with 8.4,
`--skipInference` with 8.6, `--stronglyTyped` with 9, and 11 dropped every flag of a precision. 11 also turned CUDA
graphs and spinning on and data transfers off by default; before, it takes flags to measure the same.
"""

import re
from pathlib import Path

import msgspec

from edgecnn.core.errors import EngineError, UnfitError
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Shape

_OPTION = re.compile(r"--([A-Za-z][A-Za-z0-9]*)")
_BANNER = re.compile(r"\[TensorRT v(\d+)\]")
WARM_UP_MS = 500


class Trtexec(msgspec.Struct, frozen=True, kw_only=True):
    """A trtexec: where it lies, its TensorRT's version (`8.5.2`; empty if it does not say), and its help."""

    path: str
    version: str
    help: str

    @property
    def options(self) -> frozenset[str]:
        """The options that the help lists."""
        return frozenset(_OPTION.findall(self.help))

    @property
    def has_precision_flags(self) -> bool:
        """Whether types can be chosen by flags: up to 10."""
        return "fp16" in self.options

    @property
    def has_strong_typing(self) -> bool:
        """Whether types can be taken as the file has them: from 9 on."""
        return "stronglyTyped" in self.options or not self.has_precision_flags


def described(path: str, text: str) -> Trtexec:
    """Return the trtexec whose `--help` printed `text`.

    Raises:
        EngineError: the text lists no option to load an ONNX file.
    """
    if "onnx" not in _OPTION.findall(text):
        raise EngineError(f"tensorrt: {path} --help lists no --onnx; this is no trtexec")
    found = _BANNER.search(text)
    return Trtexec(path=path, version=_version(found[1]) if found else "", help=text)


def _version(digits: str) -> str:
    """Return `8502` as 8.5.2 and `100300` as 10.3.0: a thousand counted a major version once, now ten thousand do."""
    number = int(digits)
    if number < 10000:
        return f"{number // 1000}.{number // 100 % 10}.{number % 100}"
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def build_command(tool: Trtexec, settings: BuildSettings, network: Path, plan: Path, timing: Path) -> list[str]:
    """Return the command that builds `network` into `plan`, reading and writing the timing cache at `timing`.

    Raises:
        EngineError: this trtexec can't do what was prepared or asked for.
    """
    command = [tool.path, f"--onnx={network}", f"--saveEngine={plan}", _first(tool, "skipInference", "buildOnly")]
    if "memPoolSize" in tool.options:
        command.append(f"--memPoolSize=workspace:{settings.workspace_mib}")
    else:
        command.append(_needed(tool, "workspace", str(settings.workspace_mib)))
    command += _typing(tool, settings)
    command += _where(tool, settings)
    if "profilingVerbosity" in tool.options:
        command.append(f"--profilingVerbosity={'detailed' if settings.detailed else 'layer_names_only'}")
    if not settings.tf32 and "noTF32" in tool.options:
        command.append("--noTF32")
    if "timingCacheFile" in tool.options:
        command.append(f"--timingCacheFile={timing}")
    if settings.level is not None:
        command.append(_needed(tool, "builderOptimizationLevel", str(settings.level)))
    if settings.sparse:
        command.append(_needed(tool, "sparsity", "enable"))
    if settings.profiles:
        for option, part in (("minShapes", "least"), ("optShapes", "usual"), ("maxShapes", "most")):
            shapes = {name: getattr(profile, part) for name, profile in settings.profiles.items()}
            command.append(_needed(tool, option, _spec(shapes)))
    return command


def time_command(
    tool: Trtexec,
    settings: BuildSettings,
    plan: Path,
    times: Path,
    *,
    seconds: int,
    profile: Path | None = None,
    layers: Path | None = None,
    transfers: bool = False,
) -> list[str]:
    """Return the command that times `plan` for `seconds` and writes each query's times to `times` as JSON.

    The same is measured under every version: CUDA graphs, spinning, and copies to and from the GPU only if `transfers`.
    With `profile`, a separate run writes each layer's time there; with `layers`, the inspector's answer goes there.
    """
    command = _loading(tool, settings, plan)
    command += [f"--warmUp={WARM_UP_MS}", f"--duration={seconds}", "--iterations=10", f"--exportTimes={times}"]
    if "noCudaGraph" in tool.options:
        command += ["--includeDataTransfers"] if transfers else []
    else:
        wanted = ["useCudaGraph", "useSpinWait", *([] if transfers else ["noDataTransfers"])]
        command += [f"--{option}" for option in wanted if option in tool.options]
    if profile is not None:
        command += ["--separateProfileRun"] if "noCudaGraph" not in tool.options else []
        command.append(f"--exportProfile={profile}")
    if layers is not None and "exportLayerInfo" in tool.options:
        command.append(f"--exportLayerInfo={layers}")
    return command


def infer_command(
    tool: Trtexec, settings: BuildSettings, plan: Path, inputs: dict[str, Path], outputs: Path
) -> list[str]:
    """Return the command that runs `plan` once on raw arrays, one file an input, and writes JSON to `outputs`."""
    spec = ",".join(f"{_quoted(name)}:{file}" for name, file in inputs.items())
    command = _loading(tool, settings, plan)
    command += [f"--loadInputs={spec}", f"--exportOutput={outputs}", "--iterations=1", "--duration=0", "--warmUp=0"]
    return command + (["--includeDataTransfers"] if "includeDataTransfers" in tool.options else [])


def _loading(tool: Trtexec, settings: BuildSettings, plan: Path) -> list[str]:
    command = [tool.path, f"--loadEngine={plan}"]
    if settings.dla is not None:
        command.append(f"--useDLACore={settings.dla}")
    if settings.version_compatible:
        command.append(_needed(tool, "versionCompatible"))
    shapes = {name: settings.shapes.get(name, profile.usual) for name, profile in settings.profiles.items()}
    return [*command, f"--shapes={_spec(shapes)}"] if shapes else command


def _typing(tool: Trtexec, settings: BuildSettings) -> list[str]:
    """Return the flags that make types what the file was prepared for."""
    prepared = settings.prepared
    if prepared.typing == "strong" and not tool.has_strong_typing:
        raise UnfitError(
            f"tensorrt: this artefact's types run as written, which trtexec {tool.version} can't; compile for target "
            "'tensorrt_8'"
        )
    if prepared.typing == "weak" and tool.has_strong_typing:
        raise UnfitError(
            "tensorrt: this artefact was prepared for TensorRT 8, whose flags choose types, and here is trtexec "
            f"{tool.version}; compile for target 'tensorrt_10'"
        )
    if tool.has_strong_typing and settings.dla is not None and tool.has_precision_flags:
        # Up to 10 the DLA is given FP16 by a flag, which strong typing does not allow.
        return ["--fp16"]
    if tool.has_strong_typing:
        return ["--stronglyTyped"] if tool.has_precision_flags else []
    flags = ["--int8"] if prepared.quantized else []
    return flags + (["--fp16"] if flags or prepared.precision == "fp16" or settings.dla is not None else [])


def _where(tool: Trtexec, settings: BuildSettings) -> list[str]:
    command: list[str] = []
    if settings.dla is not None:
        if settings.prepared.precision == "fp32":
            raise EngineError("tensorrt: the DLA computes in FP16 or INT8; take the fp16 artefact for it")
        if settings.prepared.quantized and tool.has_precision_flags:
            raise EngineError("tensorrt: the DLA of this TensorRT takes no Q/DQ; take the fp16 artefact for it")
        command.append(_needed(tool, "useDLACore", str(settings.dla)))
        command += ["--allowGPUFallback"] if settings.gpu_fallback else []
    if settings.version_compatible:
        command.append(_needed(tool, "versionCompatible"))
    if settings.hardware != "same":
        value = "ampere+" if settings.hardware == "ampere+" else "sameComputeCapability"
        if value not in tool.help:
            raise EngineError(f"tensorrt: trtexec {tool.version} knows no hardware level {value}; leave the option out")
        command.append(_needed(tool, "hardwareCompatibilityLevel", value))
    return command


def _needed(tool: Trtexec, option: str, value: str = "") -> str:
    if option not in tool.options:
        raise EngineError(f"tensorrt: trtexec {tool.version} has no --{option}; leave that option out")
    return f"--{option}={value}" if value else f"--{option}"


def _first(tool: Trtexec, *options: str) -> str:
    return f"--{next((option for option in options if option in tool.options), options[0])}"


def _spec(shapes: dict[str, Shape]) -> str:
    return ",".join(f"{_quoted(name)}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())


def _quoted(name: str) -> str:
    """Return a tensor's name as trtexec takes it: in single quotes where it holds what separates names."""
    return f"'{name}'" if set(name) & {":", ","} else name
