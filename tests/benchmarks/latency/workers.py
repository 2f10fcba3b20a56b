"""Processes of the benchmark, as their parent sees them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
BENCHMARKS = Path(__file__).parents[1]


class WorkerFailed(Exception):
    """A process of the benchmark ended, or said nothing in time."""


class NotInstalled(Exception):
    """A contestant's packages are missing."""


def environment(folder: Path) -> dict[str, str]:
    """One BLAS thread, and an LSL session that nobody else can see."""
    config = folder / "lsl_api.cfg"
    config.write_text(
        f"[lab]\nSessionID = bci-bench-{uuid.uuid4().hex[:12]}\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n",
        encoding="utf-8",
    )
    path = os.pathsep.join(filter(None, (str(BENCHMARKS), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, **ONE_THREAD, "LSLAPICFG": str(config), "PYTHONPATH": path}


class Worker:
    """One process: JSON lines go in and out, closing its standard input ends it.

    Parameters
    ----------
    module : str
        Run with ``python -m``.
    arguments : sequence of str
    environment : dict
    log : Path
        Takes its standard error.
    """

    def __init__(self, module: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self._log = module, log
        self._lines: queue.Queue[str] = queue.Queue()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True,
            )  # fmt: skip
        threading.Thread(target=self._read, name=f"reads {module}", daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put("")

    def tell(self, **fields: Any) -> None:
        """Send one JSON line."""
        stream = self._process.stdin
        if stream is None or self._process.poll() is not None:
            raise WorkerFailed(self._why("has ended"))
        stream.write(json.dumps(fields) + "\n")
        stream.flush()

    def answer(self, timeout_s: float) -> dict[str, Any]:
        """The next JSON line; lines that are none are passed over.

        Raises
        ------
        NotInstalled, WorkerFailed
        """
        while True:
            try:
                line = self._lines.get(timeout=timeout_s)
            except queue.Empty:
                raise WorkerFailed(self._why(f"said nothing for {timeout_s:g} s")) from None
            if not line:
                raise WorkerFailed(self._why("has ended"))
            if not line.startswith("{"):
                continue
            fields: dict[str, Any] = json.loads(line)
            if "missing" in fields:
                raise NotInstalled(fields["missing"])
            if "error" in fields:
                raise WorkerFailed(f"{self.name}: {fields['error']} {' '.join(fields.get('problems', ()))}".rstrip())
            return fields

    def _why(self, what: str) -> str:
        tail = self._log.read_text(errors="replace").strip().splitlines()[-8:]
        return "\n    ".join((f"{self.name} {what}; the end of its standard error:", *tail))

    def close(self, timeout_s: float = 10.0) -> None:
        """Let it end; kill it when it does not."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it went first
                self._process.stdin.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
