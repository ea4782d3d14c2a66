"""What several commands share in reading their options."""

from edgecnn.core.errors import InputError


def parse_overrides(texts: tuple[str, ...]) -> dict[str, str]:
    """Return `--set key=value` texts as a mapping from dotted key to YAML text.

    Raises:
        InputError: a text without `=` or without a key.
    """
    pairs = [text.partition("=") for text in texts]
    for key, sign, _ in pairs:
        if not key or not sign:
            raise InputError(f"--set {key}{sign}: write it as key=value, for example --set train.epochs=5")
    return {key: value for key, _, value in pairs}
