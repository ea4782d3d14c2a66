"""A network's inputs from an .npz file: one array an input, frames along the first axis, read one frame at a time."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.tensor import TensorSpec


@dataclass(frozen=True, slots=True)
class _Member:
    """An array of the file: its name there, shape, dtype, and the input it is for."""

    file: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    spec: TensorSpec

    @property
    def frames(self) -> int:
        return 1 if self.shape == self.spec.shape else self.shape[0]


@final
class ArrayFrames:
    """The frames of an .npz file. The file is a zip: its members are streamed, whether or not they are compressed.

    An array holds frames without a batch axis, [frames, C, H, W] for an input [1, C, H, W], or with it. A network with
    one input takes the only array, whatever its name. Floats are turned into the input's float type, whole numbers into
    its whole numbers; one is never taken for the other.

    Raises:
        DataError: no such file, damaged, or its arrays do not fit `specs`.
    """

    def __init__(self, path: Path, specs: tuple[TensorSpec, ...]) -> None:
        self._path = path
        self._members = _members(path, specs)
        counts = {member.frames for member in self._members}
        if len(counts) > 1:
            told = ", ".join(f"'{member.spec.name}' {member.frames}" for member in self._members)
            raise DataError(f"{path}: the arrays differ in their number of frames: {told}")
        self._count = counts.pop()
        if not self._count:
            raise DataError(f"{path}: holds no frame; the first axis counts the frames")

    def __len__(self) -> int:
        return self._count

    def frames(self, indices: Sequence[int]) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the frames at `indices`, which ascend, by input name and in the inputs' shapes and dtypes.

        Raises:
            DataError: the file is cut off, or a frame holds NaN or infinity.
        """
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(self._path))
            files = [stack.enter_context(archive.open(member.file)) for member in self._members]
            for file in files:
                _header(file)
            at = 0
            for index in indices:
                try:
                    yield {
                        member.spec.name: self._frame(member, file, index - at, index)
                        for member, file in zip(self._members, files, strict=True)
                    }
                except (zipfile.BadZipFile, EOFError, OSError) as error:
                    raise DataError(f"{self._path}: cut off or damaged at frame {index}: {error}") from error
                at = index + 1

    def _frame(self, member: _Member, file: IO[bytes], skipped: int, index: int) -> NDArray[Any]:
        size = math.prod(member.spec.shape) * member.dtype.itemsize
        for _ in range(skipped):
            file.read(size)
        data = file.read(size)
        if len(data) != size:
            raise EOFError("too few bytes")
        array = np.frombuffer(data, member.dtype).reshape(member.spec.shape).astype(member.spec.dtype)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{self._path}: frame {index} of '{member.spec.name}' holds NaN or infinity; mend the data")
        return array


def _members(path: Path, specs: tuple[TensorSpec, ...]) -> list[_Member]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return [_member(path, archive, _name_of(path, spec, specs, names), spec) for spec in specs]
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: not an .npz file that can be read ({error}); write it with numpy.savez") from error


def _name_of(path: Path, spec: TensorSpec, specs: tuple[TensorSpec, ...], names: list[str]) -> str:
    if f"{spec.name}.npy" in names:
        return f"{spec.name}.npy"
    if len(specs) == 1 and len(names) == 1:
        return names[0]
    wanted = ", ".join(f"'{one.name}'" for one in specs)
    held = ", ".join(f"'{name.removesuffix('.npy')}'" for name in names) or "none"
    raise DataError(f"{path}: needs one array for each of the model's inputs, named {wanted}; it holds {held}")


def _member(path: Path, archive: zipfile.ZipFile, name: str, spec: TensorSpec) -> _Member:
    with archive.open(name) as file:
        try:
            shape, fortran, dtype = _header(file)
        except ValueError as error:
            raise DataError(f"{path}: '{name}' is no NumPy array ({error}); write it with numpy.savez") from error
    member = _Member(name, shape, dtype, spec)
    label, batch = name.removesuffix(".npy"), spec.shape[:1] == (1,)
    fits = shape == spec.shape or shape[1:] == spec.shape or (batch and shape[1:] == spec.shape[1:])
    if not fits or not shape:
        frames = ["frames", *(spec.shape[1:] if batch else spec.shape)]
        wanted = ", ".join(str(size) for size in frames)
        raise DataError(f"{path}: '{label}' has shape {list(shape)}; input '{spec.name}' needs [{wanted}]")
    kinds = {"f": "f", "i": "iu", "u": "iu", "b": "b"}.get(np.dtype(spec.dtype).kind, "")
    if dtype.kind not in kinds:
        raise DataError(
            f"{path}: '{label}' is {dtype.name}; input '{spec.name}' takes {spec.dtype}, pre-processed as the model "
            "expects it"
        )
    if fortran and len(shape) > 1:
        raise DataError(f"{path}: '{label}' lies in Fortran order; save numpy.ascontiguousarray of it")
    return member


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of an .npy stream and leave it at the first element: shape, Fortran order, dtype."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)
