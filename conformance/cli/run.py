"""``conformance run``."""

from __future__ import annotations

from typing import Any

import click

from conformance.cli.options import (
    PATH,
    POSITIVE,
    backend_option,
    cases_option,
    details_option,
    device_option,
    dtypes_option,
    folder_option,
    format_option,
    memory_limit_option,
    quiet_option,
    scheduler_option,
    schema_option,
    seconds_option,
    seed_option,
    select_option,
    tls_options,
)
from conformance.model.records import MOST_RANDOM

__all__ = ["command"]


@click.command(
    "run",
    epilog="Examples: `conformance run -b torch -k stability`; `conformance run -b my_kernel.py --dtype float32`; "
    "`conformance run -b torch --random 500 --seed 7`; `conformance run --resume results/20260101-120000`.",
)
@backend_option
@cases_option
@select_option
@dtypes_option
@device_option
@click.option("--mode", metavar="MODE", help="The backends with this option, such as compile, jit or xla.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes, several of which may ask the same backend; the number of cores by default.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads of each backend's pools; cores divided by jobs by default.",
)
@seconds_option("--timeout", 60.0, "Limit for one call.")
@seconds_option("--start-timeout", 180.0, "Limit for a backend's start-up (imports).")
@memory_limit_option
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="How often, in each job, a backend's process may die with no answer in between; if a small valid call is not "
    "answered then either, the rest of its checks is not run.",
)
@click.option(
    "--max-memory",
    type=POSITIVE,
    default=2.0,
    show_default=True,
    metavar="GIB",
    callback=lambda _, __, gib: int(min(gib * 2**30, 2**53)),  # an integer that JSON holds
    help="Leave out cases whose stated budget is larger.",
)
@click.option(
    "--tier",
    type=click.Choice(["quick", "default", "full"]),
    default="default",
    show_default=True,
    help="quick: as --quick. full: also ask backends that compile what makes them compile anew and adds little: cases "
    "of the tier full, and identities of another shape or operation.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="A short run: the cases and dtypes of cases/quick.yaml, which together find out every deliberately wrong "
    "backend of the suite's own tests; no identities.",
)
@click.option(
    "--random",
    type=click.IntRange(min=0, max=MOST_RANDOM),
    default=0,
    metavar="N",
    help="Also N random cases, which no kernel can be fitted to; `conformance explain` knows them by their ids.",
)
@seed_option("Seed of the random cases: the same gives the same ones. A new one is drawn and printed by default.")
@click.option(
    "--shard",
    metavar="I/N",
    help="Only the I-th of N parts of the cases that cost the same; `conformance report` joins all N to a whole.",
)
@click.option(
    "--costs",
    multiple=True,
    type=PATH,
    metavar="RUN",
    help="Divide into shards by the seconds that RUN took for each case with each backend; by the cases' shapes "
    "without it. Every shard needs the same. Repeat for several.",
)
@click.option(
    "--identities/--no-identities",
    default=True,
    show_default=True,
    help="Also make the transformed calls of the identities (shift, permutation, split, …).",
)
@click.option(
    "--resume",
    type=PATH,
    metavar="DIR",
    help="Complete the run that DIR holds. Name again what it was begun with of your own, by -b, --cases and --costs: "
    "no code runs, and no file is read, because a results file names it.",
)
@folder_option("Folder for the results; results/<time> by default.")
@click.option("--replace", is_flag=True, help="Replace the run that --output holds, if there is one.")
@format_option("What goes to standard output; progress goes to standard error.")
@details_option(20, "Findings to show in full on the terminal; all are in the results and the summary.")
@click.option(
    "--site/--no-site",
    default=None,
    help="Write DIR/site, the pages of this run; by default where no -k, --cases, --dtype or --shard narrows it.",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "dask"]),
    help="What does the work: processes of this machine, or the workers of a Dask cluster, of which --jobs are started "
    "unless --scheduler names a running one. local by default, dask with --scheduler.",
)
@scheduler_option("Address of a Dask scheduler, such as tcp://127.0.0.1:8786, whose workers do the work.")
@tls_options
@quiet_option
@schema_option("run", "outcomes")
def command(style: str, details: int, site: bool | None, **options: Any) -> int:
    """Run the cases on backends, each in a process of its own, and judge every result.

    Writes DIR/outcomes.jsonl, DIR/summary.md and, for a run of all cases, DIR/site, and prints a matrix of backends and
    themes.
    """
    from conformance.disk import refuse_links_below, require_file_place
    from conformance.run.launch import launch
    from conformance.run.settings import RunSettings
    from conformance.run.shards import parse_shard

    options["quick"] = options["quick"] or options["tier"] == "quick"
    options["tier"] = "full" if options["tier"] == "full" else "default"
    options["identities"] = options["identities"] and not options["quick"]
    options["shard"] = None if options["shard"] is None else parse_shard(options["shard"])
    narrowed = any(options[name] for name in ("paths", "expression", "dtypes", "shard"))
    site = not narrowed if site is None else site
    if folder := options["resume"] or options["output"]:  # before the first case, and not after the last
        require_file_place(folder / "summary.md")
        if site:
            refuse_links_below(folder / "site")
    run = launch(RunSettings(**options))
    from conformance.reports.merge import merge
    from conformance.reports.terminal import print_run

    merged = merge([run.folder])
    pages = None
    if site:
        from conformance.oracle.derived import derived
        from conformance.reports.site.build import write_site
        from conformance.repro.script import reproducer

        pages = write_site(
            merged,
            run.folder / "site",
            cases=options["paths"],
            reproduce=reproducer,
            derive=derived,
            below=run.folder,
        )
    print_run(merged, run.folder, style=style, details=details, site=pages)
    return run.exit_code
