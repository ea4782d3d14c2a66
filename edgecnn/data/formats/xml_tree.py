"""XML as elements with the line each begins on; without entities or document types, and of bounded depth and size."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.parsers import expat

from edgecnn.core.errors import DataError, line_of

_DEEPEST: Final = 32
_MOST_BYTES: Final = 1 << 24


class XmlError(DataError):
    """The file is at fault at `line`."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass(slots=True)
class Element:
    """One element: its name, the line it begins on, what lies in it; `text` is that of its own, stripped."""

    name: str
    line: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def child(self, name: str) -> "Element | None":
        """Return the first child called `name`."""
        return next((one for one in self.children if one.name == name), None)

    def told(self, name: str) -> str:
        """Return the text of the child `name`, empty where there is none."""
        found = self.child(name)
        return found.text if found is not None else ""


def read_xml(path: Path) -> Element:
    """Return the root element of a file.

    Raises:
        XmlError: it can't be read, is no XML, or brings a document type of its own.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise XmlError(1, f"more than {_MOST_BYTES >> 20} MiB; not the label file it is taken for")
        data = path.read_bytes()
    except OSError as error:
        raise XmlError(1, f"can't be read ({error.strerror}); check the label file's name") from error
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = Element("", 1)
    open_ones = [root]

    def start(name: str, _: dict[str, str]) -> None:
        if len(open_ones) > _DEEPEST:
            raise XmlError(
                parser.CurrentLineNumber, f"elements lie in one another more than {_DEEPEST} deep; replace it"
            )
        made = Element(name, parser.CurrentLineNumber)
        open_ones[-1].children.append(made)
        open_ones.append(made)

    def end(_: str) -> None:
        closed = open_ones.pop()
        closed.text = closed.text.strip()

    def characters(text: str) -> None:
        open_ones[-1].text += text

    def refuse(*_: object) -> None:
        raise XmlError(parser.CurrentLineNumber, "a document type, which can do harm; remove it")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat takes it by place
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise XmlError(parser.CurrentLineNumber, f"not XML ({line_of(error)}); mend or remove it") from error
    return root.children[0]
