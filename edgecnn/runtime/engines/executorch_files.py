"""What lies beside an ExecuTorch program."""

import msgspec


class Description(msgspec.Struct, frozen=True):
    """What a program does not tell itself.

    Attributes:
        inputs: names, in the program's order.
        outputs: names, in the program's order.
        delegates: how many parts of the network XNNPACK runs.
        delegated: operators that XNNPACK runs, with how many there are.
        portable: operators that it left to ExecuTorch's portable kernels, which are slow.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    delegates: int
    delegated: dict[str, int]
    portable: dict[str, int]
