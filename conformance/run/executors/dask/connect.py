"""The way to a fleet: its scheduler's address, TLS, and the backends that its workers have."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import extras
from conformance.disk import contents
from conformance.model.errors import UsageError

__all__ = ["ENDS", "Fleet", "connected", "imported", "scheduler_errors", "security"]

#: Seconds within which a scheduler must answer.
CONNECT = 30.0
#: The topic of a scheduler's events that say which worker has ended, and its exit code as `subprocess` gives it.
ENDS = "conformance-ends"
MOST_OF_PEM = 1 << 20  # bytes


@dataclass(frozen=True)
class Fleet:
    """Which workers do the tasks: those behind the ``scheduler``, or those of an embedded cluster where it is empty.

    The ``tls_…`` are for ``tls://`` addresses, as for :func:`security`. ``patience`` is how many seconds a task waits
    for a worker that can do it.
    """

    scheduler: str = ""
    tls_ca_file: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    patience: float = 180.0

    def backends(self) -> list[str]:
        """The names of the backends that the workers have. Raises UsageError where no worker is there."""
        with connected(self) as client:
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
        names = sorted({name for worker in workers for name in worker["resources"]})
        if not names:
            raise UsageError(
                f"no worker with a backend is connected to {self.scheduler}",
                hint="start one by `conformance worker --scheduler ADDRESS`, or name backends with -b",
            )
        return names


def imported() -> Any:
    """Dask's ``distributed``, which logs nothing: what matters is noted, or raised. Raises UsageError."""
    distributed = extras.imported("distributed", "dask", "runs over Dask need")
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")] + ["asyncio"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed


def security(scheduler: str, ca_file: str | None, certificate: str | None, key: str | None) -> Any:
    """Dask's own object for files in PEM form; what is left out is taken from Dask's configuration.

    Raises UsageError for files that cannot be used, and where ``scheduler`` needs some and none are named.
    """
    distributed = imported()
    files = [file for file in (ca_file, certificate, key) if file]
    for file in files:
        contents(Path(file), MOST_OF_PEM, larger="name a PEM file")
    named = f" ({', '.join(files)})" if files else ""
    given = {
        "tls_ca_file": ca_file,
        "tls_client_cert": certificate,
        "tls_client_key": key,
        "tls_worker_cert": certificate,
        "tls_worker_key": key,
    }
    found = distributed.Security(**{name: value for name, value in given.items() if value is not None})
    if scheduler.startswith(("tls://", "wss://")):
        hint = "name --tls-ca-file, --tls-cert and --tls-key, all PEM files, or set them in Dask's configuration"
        try:
            context = found.get_connection_args("client").get("ssl_context")
        except OSError as error:  # as errors of SSL are, too
            raise UsageError(f"the certificates for {scheduler} cannot be used: {error}{named}", hint=hint) from None
        if context is None:
            raise UsageError(f"{scheduler} needs certificates", hint=hint)
    return found


@contextlib.contextmanager
def connected(fleet: Fleet) -> Iterator[Any]:
    """A client of the fleet's scheduler. Raises UsageError where none answers."""
    distributed = imported()
    tls = security(fleet.scheduler, fleet.tls_ca_file, fleet.tls_cert, fleet.tls_key)
    try:
        client = distributed.Client(fleet.scheduler, security=tls, timeout=CONNECT)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise UsageError(
            f"no scheduler answers at {fleet.scheduler}: {error}",
            hint="start one with `dask scheduler`, and give the address that it prints",
        ) from None
    with client:
        yield client


def scheduler_errors() -> tuple[type[BaseException], ...]:
    """What a client raises where its scheduler is lost."""
    from distributed.client import ClosedClientError, FuturesCancelledError
    from distributed.comm.core import CommClosedError

    return (ClosedClientError, FuturesCancelledError, CommClosedError)
