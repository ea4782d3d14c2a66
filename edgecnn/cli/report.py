"""`edgecnn report RUN_DIR|BUNDLE`."""

import json
from pathlib import Path

import click


@click.command()
@click.argument("source", metavar="RUN_DIR|BUNDLE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to; default RUN_DIR/report or BUNDLE-report.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(*, source: Path, out: Path | None, as_json: bool) -> None:
    """Write the report of a finished run, or of a bundle by itself, as HTML, Markdown and JSON.

    RUN_DIR is the work directory of `edgecnn run`. Exit code 1: the report was written and says that a gate failed.
    """
    from edgecnn.core.errors import GateError
    from edgecnn.core.registry import Entry, import_entry
    from edgecnn.report.source import default_out, facts_of

    write = import_entry(Entry("edgecnn.report.write:write", "report"), "the report")
    headline = import_entry(Entry("edgecnn.report.verdict:headline", "report"), "the report")
    facts = facts_of(source)
    paths = write(out or default_out(source), facts)
    said = headline(facts)
    if as_json:
        files = {path.suffix[1:]: str(path) for path in paths}
        click.echo(
            json.dumps({"passed": facts.passed, "verdict": said.word, "sentence": said.sentence, "files": files})
        )
    else:
        click.echo(f"{said.word}  {said.sentence}")
        for path in paths:
            click.echo(f"{path.suffix[1:]:<6}  {path}")
    if facts.passed is False:
        raise GateError(said.sentence)
