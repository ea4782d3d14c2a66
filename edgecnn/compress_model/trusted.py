"""A stranger's module, named `package.module:function`. Its code runs here, so somebody has to vouch for it."""

import importlib
import os
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from torch import nn

from edgecnn.core.errors import InputError

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def allow_list() -> Path:
    """Return the file that names trusted code, one `package.module:function` or shell pattern of such a line."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "edgecnn" / "trusted-code"


def module_of(name: str, *, trust_code: bool) -> nn.Module:
    """Return what the function called `name` returns, in eval mode on the CPU; also found in the current folder.

    Raises:
        InputError: nobody trusts that code, it can't be imported, it fails, or it returns no `torch.nn.Module`.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"{name}: write package.module:function, the name of a function that returns a torch module")
    if not trust_code and not _listed(name):
        raise InputError(f"{name}: is code that would run here; give --trust-code, or name it in {allow_list()}")
    path, _, function = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        make = getattr(importlib.import_module(path), function)
        module = make()
    except Exception as error:
        raise InputError(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{name}: returned {type(module).__name__}, not a torch.nn.Module")
    if not any(True for _ in module.parameters()):
        raise InputError(f"{name}: returned a module without parameters; there is nothing to compress")
    return module.cpu().eval()


def _listed(name: str) -> bool:
    path = allow_list()
    if not path.is_file():
        return False
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return any(fnmatchcase(name, line) for line in lines if line and not line.startswith("#"))
