"""``conformance worker``."""

from __future__ import annotations

import click

from conformance.cli.options import named_backends_option, scheduler_option, seconds_option, tls_options
from conformance.plain import say

__all__ = ["command"]


@click.command(
    "worker",
    epilog="Examples: `conformance worker --scheduler tcp://127.0.0.1:8786`; `conformance worker --scheduler "
    "tls://fleet.example:8786 --host 10.0.0.7 --name a100-torch-2.10 -b torch`.",
)
@scheduler_option("Address of the Dask scheduler to work for, such as tcp://127.0.0.1:8786.", required=True)
@named_backends_option("every installed one that starts here by default")
@click.option("--name", metavar="NAME", help="What results call this worker; a name made of its address by default.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on. The scheduler must reach it: on another machine, give this one's own.",
)
@tls_options
@seconds_option("--start-timeout", 180.0, "Limit for a backend's start-up (imports).")
def command(
    scheduler: str,
    backends: tuple[str, ...],
    name: str | None,
    host: str,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    start_timeout: float,
) -> int:
    """Do tasks for runs that name the same scheduler, until it ends or Ctrl-C.

    Each backend is started once to find out what can be offered: its name, and the devices that it works on.
    """
    from conformance.run.executors.dask.connect import security
    from conformance.run.executors.dask.processes import serve
    from conformance.run.executors.dask.resources import offered

    tls = security(scheduler, tls_ca_file, tls_cert, tls_key)
    resources = offered(backends, start_timeout)
    if host in ("127.0.0.1", "::1", "localhost") and not any(each in scheduler for each in ("//127.", "//localhost")):
        say(f"note: only this machine reaches {host}; give --host where the scheduler is on another one", err=True)
    say(f"offers {', '.join(resources)} to {scheduler}", err=True)
    serve(scheduler, resources, host=host, name=name, security=tls)
    return 0
