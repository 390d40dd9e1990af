"""``conformance bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conformance.cli.options import (
    PATH,
    POSITIVE,
    backend_option,
    device_option,
    folder_option,
    format_option,
    memory_limit_option,
    quiet_option,
    schema_option,
    seconds_option,
)
from conformance.extras import how_to_install, not_installed
from conformance.plain import command_line, say

__all__ = ["command"]

_INTERRUPTED = 130


@click.command(
    "bench",
    epilog="Examples: `conformance bench --quick`; `conformance bench -b torch -b my_kernel.py -k lm-head`; "
    "`conformance bench -b jax --contract forward --threads 1 --seed 7`. Exit codes: 0 measured; 2 wrong usage or "
    "workload file; 3 nothing could be timed, or a backend did not start, died or hung; 130 interrupted. A wrong "
    "result is marked, and changes no exit code.",
)
@backend_option
@device_option
@click.option(
    "--workloads",
    "paths",
    multiple=True,
    type=PATH,
    metavar="PATH",
    help="A workload file or a folder of them. Repeat for several; the suite's own (cases/benchmarks) by default.",
)
@click.option(
    "-k",
    "expression",
    metavar="EXPR",
    help="Only workloads whose id, dtype or kind of targets match, such as 'lm-head and not bfloat16'.",
)
@click.option(
    "--contract",
    "contracts",
    multiple=True,
    type=click.Choice(["forward", "forward+grad", "forward-saving"]),
    help="Only this contract: the value; value and gradient; or the value, keeping what a gradient needs. Repeatable.",
)
@click.option(
    "--cache",
    "caches",
    multiple=True,
    type=click.Choice(["warm", "cold"]),
    help="Only with a warm cache, or only a cold one (emptied before every round). As each workload states by default.",
)
@click.option(
    "--replicates",
    type=click.IntRange(min=1),
    metavar="N",
    help="Fresh processes of each backend; 5 by default, 2 with --quick. Their medians are the sample.",
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads of every pool; all cores by default.")
@click.option(
    "--budget",
    type=POSITIVE,
    metavar="SECONDS",
    help="Time for the rounds of one entry; at least five rounds are made, three of slow ones.",
)
@click.option(
    "--quick", is_flag=True, help="Only the workloads marked `quick`, in two processes each: about three minutes."
)
@click.option(
    "--accuracy/--no-accuracy", default=True, show_default=True, help="Judge each result by the suite's own oracle."
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="S", help="Seed of the schedule; random and recorded by default."
)
@seconds_option("--timeout", 120.0, "Limit for one entry, its compilation included.")
@seconds_option("--start-timeout", 180.0, "Limit for a backend's start-up (imports).")
@memory_limit_option
@folder_option("Folder for benchmarks.json and the report; what is there is replaced. results/bench-<time> by default.")
@click.option(
    "--report/--no-report",
    default=True,
    show_default=True,
    help="Write benchmarks.md, benchmarks.html and pictures beside the file; needs the `report` extra.",
)
@format_option("What goes to standard output; progress goes to standard error.")
@quiet_option
@schema_option("times", "benchmarks")
def command(style: str, report: bool, **options: Any) -> int:
    """Time backends on workloads, each in fresh processes, beside the error of the same results.

    Every backend and replicate is a process of its own, in an order drawn by the seed, with the same threads on the
    same cores; the memory bandwidth of the machine is measured in between. Without -b: every installed framework, in
    the modes that its profile lists under `benchmarks`. Writes DIR/benchmarks.json, which `pytest-benchmark compare`
    reads too, and a report with pictures, and prints tables: the median of the processes' medians, the share of the
    peak bandwidth, the class and error over tolerance of the result, compiling, and memory.
    """
    from conformance.bench.launch import BenchSettings, launch

    if report and options["output"]:  # before the first entry, and not after the last
        from conformance.disk import refuse_links_below, require_file_place
        from conformance.reports.benchmarks.report import PAGE, PICTURES, TEXT

        refuse_links_below(options["output"] / PICTURES)
        for name in (PAGE, TEXT):
            require_file_place(options["output"] / name)
    finished = launch(BenchSettings(**options))
    from conformance.reports.benchmarks.report import print_benchmarks

    print_benchmarks(finished.path, style=style)
    say(f"times: {finished.path}", err=style == "json")
    if report and finished.document["benchmarks"]:
        for line in _write_report(finished.path):
            say(line, err=style == "json")
    if finished.interrupted:
        return _INTERRUPTED
    for name, problem in finished.lost.items():
        say(f"{name}: {problem}", err=True)
    return 3 if finished.lost or not finished.document["benchmarks"] else 0


def _write_report(file: Path) -> list[str]:
    """Write the report of a benchmarks file beside it; lines that name the page and the pictures, or say how to."""
    from conformance.reports.benchmarks.report import NEEDED, write_benchmark_report

    missing = not_installed(*NEEDED)
    if missing:
        again = command_line("conformance", "report", file.parent, "--output", file.parent / "site")
        return [f"no pictures: {', '.join(missing)} not installed; {how_to_install('report')}, then {again}"]
    written = write_benchmark_report(file, file.parent)
    pictures = [path for path in written if path.suffix == ".png"]
    named = {".md": "report", ".html": "page"}
    pages = [f"{named[path.suffix]}: {path}" for path in written if path.suffix in named]
    return [*pages, f"pictures: {len(pictures)} in {pictures[0].parent}, first of all {pictures[0].name}"]
