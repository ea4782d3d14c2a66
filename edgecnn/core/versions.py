"""What is installed, for the keys of stages whose result depends on it."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

ENGINE_PACKAGES = ("openvino", "onnxruntime", "ncnn")


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of each of `packages` that is installed here."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
