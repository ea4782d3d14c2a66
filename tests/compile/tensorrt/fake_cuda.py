"""CUDA's runtime as its Python bindings show it, on the CPU: device memory is host memory, streams run at once.

Signatures are those of the real bindings (api/cuda-*.json). A stream that captures records instead of running.
"""

import ctypes
import enum
import json
import re
from pathlib import Path
from types import SimpleNamespace

API = Path(__file__).parent / "api"


class Stream(int):
    """A stream's handle."""


class FakeCuda:
    """What `cuda.bindings.runtime` offers of the names in the API file.

    Attributes:
        module: stands in for the real module.
        memory: what is allocated, by address, with its kind.
        streams, graphs: those alive.
        calls: names of the functions called, in order.
        fail: status by function name, for functions that are to fail.
    """

    def __init__(self, version: str = "12"):
        api = json.loads((API / f"cuda-{version}.json").read_text())
        self.memory, self.streams, self.graphs, self.calls, self.fail = {}, {}, {}, [], {}
        self._next = 1
        enums = {name: enum.IntEnum(name, members) for name, members in api["enums"].items()}
        self.error = enums["cudaError_t"]
        functions = {name: self._function(name, text) for name, text in api["functions"].items()}
        self.module = SimpleNamespace(**enums, **api["constants"], **functions)
        self.properties = SimpleNamespace(
            **{
                name: value
                for name, value in {
                    "name": b"Orin\0\0",
                    "major": 8,
                    "minor": 7,
                    "multiProcessorCount": 8,
                }.items()
                if name in api["properties"]
            }
        )

    def _function(self, name, text):
        parameters = [part for part in text[len(name) + 1 : -1].split(", ") if part]
        behave = getattr(self, re.sub("(?=[A-Z])", "_", f"_{name}").lower())

        def call(*arguments):
            assert len(arguments) == len(parameters), f"{text} was given {arguments}"
            for told, given in zip(parameters, arguments, strict=True):
                if ": " in told:
                    assert type(given).__name__ == told.split(": ")[1], f"{text} was given {given!r}"
                elif told.startswith(("size_t", "int", "unsigned")):
                    assert isinstance(given, int), f"{text} was given {given!r}"
            self.calls.append(name)
            if name in self.fail:
                values = 0 if name.startswith(("cudaFree", "cudaMemcpy", "cudaStreamSync", "cudaGraphLaunch")) else 1
                return (self.error[self.fail[name]], *[None] * values)
            return behave(*arguments)

        return call

    def stream(self, handle):
        """Return the record of a stream: what it captures, or None."""
        return self.streams[int(handle)]

    def put(self, handle, work):
        """Do `work` now, or when the graph that captures it is launched."""
        record = self.stream(handle)
        if record["capturing"] is None:
            work()
        else:
            record["capturing"].append(work)

    def bytes_at(self, address, size):
        """Return the memory at `address`, which must be allocated and large enough."""
        buffer = self.memory[address][1]
        assert len(buffer) >= size, "beyond the end of an allocation"
        return buffer

    def _new(self):
        self._next += 1
        return self._next

    def _allocate(self, kind, size):
        assert size > 0
        buffer = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(buffer)
        self.memory[address] = (kind, buffer)
        return self.error.cudaSuccess, address

    def _free(self, kind, address):
        assert self.memory[address][0] == kind, "freed by the wrong function"
        del self.memory[address]
        return (self.error.cudaSuccess,)

    def _cuda_malloc(self, size):
        return self._allocate("device", size)

    def _cuda_host_alloc(self, size, _flags):
        return self._allocate("host", size)

    def _cuda_free(self, address):
        return self._free("device", address)

    def _cuda_free_host(self, address):
        return self._free("host", address)

    def _cuda_memcpy_async(self, target, source, count, kind, stream):
        ends = {1: ("device", "host"), 2: ("host", "device")}[int(kind)]
        assert (self.memory[target][0], self.memory[source][0]) == ends
        self.put(stream, lambda: ctypes.memmove(self.bytes_at(target, count), self.bytes_at(source, count), count))
        return (self.error.cudaSuccess,)

    def _cuda_stream_create_with_flags(self, flags):
        handle = Stream(self._new())
        self.streams[int(handle)] = {"capturing": None, "flags": flags}
        return self.error.cudaSuccess, handle

    def _cuda_stream_destroy(self, stream):
        del self.streams[int(stream)]
        return (self.error.cudaSuccess,)

    def _cuda_stream_synchronize(self, stream):
        assert self.stream(stream)["capturing"] is None, "a capturing stream can't be waited for"
        return (self.error.cudaSuccess,)

    def _cuda_stream_begin_capture(self, stream, _mode):
        self.stream(stream)["capturing"] = []
        return (self.error.cudaSuccess,)

    def _cuda_stream_end_capture(self, stream):
        record = self.stream(stream)
        work, record["capturing"] = record["capturing"], None
        handle = self._new()
        self.graphs[handle] = work
        return self.error.cudaSuccess, handle

    def _cuda_graph_instantiate(self, graph, _flags):
        handle = self._new()
        self.graphs[handle] = list(self.graphs[graph])
        return self.error.cudaSuccess, handle

    def _cuda_graph_destroy(self, graph):
        del self.graphs[graph]
        return (self.error.cudaSuccess,)

    _cuda_graph_exec_destroy = _cuda_graph_destroy

    def _cuda_graph_launch(self, graph, _stream):
        for work in self.graphs[graph]:
            work()
        return (self.error.cudaSuccess,)

    def _cuda_get_error_string(self, error):
        return self.error.cudaSuccess, error.name.encode()

    def _cuda_get_last_error(self):
        return (self.error.cudaSuccess,)

    def _cuda_get_device_count(self):
        return self.error.cudaSuccess, 1

    def _cuda_get_device(self):
        return self.error.cudaSuccess, 0

    def _cuda_get_device_properties(self, _device):
        return self.error.cudaSuccess, self.properties

    def _cuda_driver_get_version(self):
        return self.error.cudaSuccess, 12060

    def _cuda_runtime_get_version(self):
        return self.error.cudaSuccess, 12090
