"""The example sketch, compiled for this computer: a small stand-in for Arduino's core, standard input and output as its port."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import tty
from pathlib import Path

import pytest

import devices.actuators

SKETCH = Path(devices.actuators.__file__).parent / "arduino" / "bci_hand" / "bci_hand.ino"

CORE = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <time.h>
#include <unistd.h>
const int LOW = 0, HIGH = 1, OUTPUT = 1;
unsigned long millis() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000UL + t.tv_nsec / 1000000; }
int pins[20];
void pinMode(int, int) {}
void digitalWrite(int pin, int level) {  // each change goes to the log: monotonic seconds, pin, level
  if (pins[pin] == level) return;
  pins[pin] = level;
  timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
  fprintf(stderr, "%ld.%09ld %d %d\n", (long)t.tv_sec, t.tv_nsec, pin, level);
}
struct Wire {
  void begin(long) {}
  int available() { pollfd p = {0, POLLIN, 0}; return poll(&p, 1, 1) > 0 && (p.revents & POLLIN); }
  int read() { unsigned char c; return ::read(0, &c, 1) == 1 ? c : -1; }
  void write(int c) { unsigned char b = c; if (::write(1, &b, 1) < 0) {} }
  void print(const char *text) { if (::write(1, text, strlen(text)) > 0) fprintf(stderr, "0 ready 1\n"); }
} Serial;
"""


def compile_sketch(folder: Path) -> Path:
    """The sketch as a program of this computer; it runs until it is killed."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler to compile the example sketch with")
    source, program = folder / "hand.cpp", folder / "hand"
    source.write_text(CORE + SKETCH.read_text(encoding="utf-8") + "\nint main() { setup(); for (;;) loop(); }\n")
    subprocess.run([compiler, "-Wall", "-Werror", "-O1", "-o", str(program), str(source)], check=True)
    return program


PIN_CLOSE, PIN_OPEN = "5", "6"


class Hand:
    """The example sketch running on a pseudo-terminal."""

    def __init__(self, folder: Path) -> None:
        self._program = compile_sketch(folder)
        self._log = folder / "pins"
        self._master, slave = os.openpty()
        self._slave = slave
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        # The sketch owns the master's side, as a board does the far end of its cable.
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Power on, and wait until it says that it is ready."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([str(self._program)], stdin=self._master, stdout=self._master, stderr=log)
        self.wait_for("ready", "1")

    def pins(self) -> list[tuple[float, str, str]]:
        """Every change: monotonic seconds, pin, level."""
        rows = [line.split() for line in self._log.read_text().splitlines()]
        return [(float(time_s), pin, level) for time_s, pin, level in rows]

    def wait_for(self, pin: str, level: str, timeout_s: float = 5.0) -> float:
        """When the last change was to this level."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            changes = [row for row in self.pins() if row[1] == pin]
            if changes and changes[-1][2] == level:
                return changes[-1][0]
            time.sleep(0.005)
        raise AssertionError(f"pin {pin} did not become {level}: {self.pins()}")

    def close(self) -> None:
        """Power off."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)
