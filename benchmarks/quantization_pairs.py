"""Options of the form NAME=VALUE."""

import argparse


def pair(text: str) -> tuple[str, str]:
    """Return what stands before and after the first `=`."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value
