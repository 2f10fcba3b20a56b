"""Runs jobs on all cores or on a Dask scheduler; the results do not depend on where a job ran."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, TypeVar

from bci.errors import ConfigError
from bci.plugins import optional

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Workers(Protocol):
    """Runs a function over jobs, in any order."""

    def __call__(self, function: Callable[[_Job], _Result], jobs: Sequence[_Job]) -> Iterator[tuple[int, _Result]]:
        """Number of each job and its result, as they are done."""
        ...


@contextmanager
def workers(n_jobs: int = -1, cluster: str = "") -> Iterator[Workers]:
    """Workers for the block: processes of this machine, or those of a Dask scheduler.

    Parameters
    ----------
    n_jobs : int
        Processes; -1 for one on each core.
    cluster : str
        Address of a Dask scheduler (``tcp://host:8786``), or ``local`` to start one here. Its workers must see
        recordings and results under the same paths, and have this version installed.

    Yields
    ------
    Workers

    Raises
    ------
    ConfigError
        If a number makes no sense or the scheduler cannot be reached.
    """
    import joblib

    if n_jobs == 0 or n_jobs < -1:
        raise ConfigError(f"jobs = {n_jobs}: must be at least 1, or -1 for one on each core")
    with ExitStack() as stack:
        if cluster:
            stack.enter_context(_dask(cluster, n_jobs))
            stack.enter_context(joblib.parallel_config(backend="dask"))
        elif n_jobs != 1:
            stack.enter_context(joblib.parallel_config(backend="loky", inner_max_num_threads=1))
            stack.callback(_end_processes)
            # loky replaces a worker whose memory has grown; nothing is lost by it.
            warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)

        def run(function: Callable[[_Job], _Result], jobs: Sequence[_Job]) -> Iterator[tuple[int, _Result]]:
            parallel = joblib.Parallel(n_jobs=-1 if cluster else n_jobs, return_as="generator_unordered", batch_size=1)
            done: Iterator[tuple[int, _Result]] = parallel(joblib.delayed(one_thread)(function, i, j) for i, j in enumerate(jobs))
            yield from done

        yield run


def one_thread(function: Callable[[_Job], _Result], number: int, job: _Job) -> tuple[int, _Result]:
    """Run a job with one thread per numerical library, because more threads would change the last bits and slow each other down.

    Parameters
    ----------
    function : callable
    number : int
        Of the job; returned with the result.
    job : _Job

    Returns
    -------
    (int, _Result)
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        return number, function(job)


def _end_processes() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


@contextmanager
def _dask(cluster: str, n_jobs: int) -> Iterator[Any]:
    """A client of a scheduler whose workers have this version."""
    distributed = optional("distributed", "dask[distributed]", "--cluster")
    with ExitStack() as stack:
        address: Any = cluster
        if cluster == "local":
            import os

            n_workers = n_jobs if n_jobs > 0 else os.cpu_count() or 1
            address = stack.enter_context(
                distributed.LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
            )
        try:
            client = stack.enter_context(distributed.Client(address, timeout="10s"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"--cluster {cluster}: no Dask scheduler answers there ({error}); start one with `dask scheduler` and workers "
                "with `dask worker ADDRESS`, or give --cluster local"
            ) from error
        _check_versions(cluster, client.run(installed_version))
        yield client


def installed_version() -> str:
    """Version of this program where the function runs."""
    from importlib.metadata import version

    return version("bci")


def _check_versions(cluster: str, found: dict[str, str]) -> None:
    """Refuse workers of another version: their numbers may differ."""
    if not found:
        raise ConfigError(f"--cluster {cluster}: the scheduler has no workers; start some with `dask worker ADDRESS`")
    others = {where: v for where, v in found.items() if v != installed_version()}
    if others:
        listing = ", ".join(f"{where}: {v}" for where, v in others.items())
        raise ConfigError(f"--cluster {cluster}: workers have another version than {installed_version()} ({listing})")
