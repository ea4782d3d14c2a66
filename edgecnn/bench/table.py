"""A result as tables on the terminal: frame to result, engine alone, camera, cold start; then ratios and notes."""

from rich.console import Console
from rich.table import Table

from edgecnn.core.evidence import BenchResult, BenchRun
from edgecnn.core.measure import Measurement

COLUMNS = {
    "single_stream": ("p50_ms", "p90_ms", "p99_ms", "pre_p50_ms", "engine_p50_ms", "post_p50_ms"),
    "engine_only": ("p50_ms", "p90_ms", "p99_ms", "max_ms"),
    "camera": ("p50_ms", "p90_ms", "p99_ms", "dropped_pct", "deadline_missed_pct"),
}
TITLES = {
    "single_stream": "frame to result, back to back (ms)",
    "engine_only": "engine alone, back to back (ms)",
    "camera": "camera, from the scheduled frame to its result (ms)",
}
HEADINGS = {
    "dropped_pct": "dropped %",
    "deadline_missed_pct": "missed %",
    "cold_load_ms": "load ms",
    "first_inference_ms": "first inference ms",
    "cold_start_ms": "start to result ms",
    "peak_memory_mib": "peak memory MiB",
}
COLD = ("cold_load_ms", "first_inference_ms", "cold_start_ms", "peak_memory_mib")
MIN_WIDTH = 120


def print_result(result: BenchResult, *, title: str, console: Console | None = None) -> None:
    """Print `result`; `console` defaults to stdout. Piped output is not cut to a terminal's width."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, MIN_WIDTH)
    console.print(title, style="bold", markup=False)
    for scenario, names in COLUMNS.items():
        _print_table(console, TITLES[scenario], [run for run in result.runs if run.scenario == scenario], names)
    cold = [run for run in result.runs if COLD[0] in run.figures]
    _print_table(console, "cold start in a fresh process", cold, COLD)
    for name, ratio in result.ratios.items():
        console.print(f"{name}: {ratio.text(2)}", markup=False)
    if "null_query_us" in result.harness:
        console.print(f"null engine: {result.harness['null_query_us'].text(1)} a query is the harness", markup=False)
    for note in _notes(result):
        console.print(f"note: {note}", markup=False, style="yellow")


def _print_table(console: Console, title: str, runs: list[BenchRun], names: tuple[str, ...]) -> None:
    if not runs:
        return
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("artefact", no_wrap=True)
    for name in names:
        table.add_column(HEADINGS.get(name, name.removesuffix("_ms").replace("_", " ")), justify="right", no_wrap=True)
    for run in runs:
        table.add_row(run.artefact, *(_cell(run.figures.get(name)) for name in names))
    console.print(table)


def _cell(figure: Measurement | None) -> str:
    if figure is None:
        return "too few"
    text = f"{figure.value:.3g}" if figure.value < 100 else f"{figure.value:.0f}"
    if figure.low is None or figure.high is None:
        return text
    # `\[`: rich would read the bracket as markup.
    digits = ".3g" if figure.high < 100 else ".0f"
    return f"{text}\n\\[{figure.low:{digits}}, {figure.high:{digits}}]"


def _notes(result: BenchResult) -> list[str]:
    runs = [f"{run.artefact}, {run.scenario}: {note}" for run in result.runs for note in run.notes]
    return [*runs, *result.environment.get("disturbances", ())]
