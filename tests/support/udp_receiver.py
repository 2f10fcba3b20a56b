"""The far end of an actuator's wire: a UDP socket that keeps what comes, and stops by itself."""

from __future__ import annotations

import json
import socket
import threading

from bci.stream.lsl import local_clock

RECEIVER_S = 0.2


class Receiver:
    """The far end of the wire: packets with their arrival, and a timer of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.002)
        self.port: int = self._socket.getsockname()[1]
        self.packets: list[tuple[float, str]] = []
        self.stopped: list[float] = []
        self._ending = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        last, moving = 0.0, False
        while not self._ending:
            now = local_clock()
            try:
                name = json.loads(self._socket.recv(4096))["command"]
                last, moving = local_clock(), name != "neutral"
                self.packets.append((last, name))
            except TimeoutError:
                pass
            if moving and now - last > RECEIVER_S:
                moving = False
                self.stopped.append(local_clock())

    def since(self, begin: float, *names: str) -> list[float]:
        """Arrivals of these commands (all but neutral, if none are named) from then on."""
        return [t for t, name in tuple(self.packets) if t >= begin and (name in names if names else name != "neutral")]

    def close(self) -> None:
        """Hang up."""
        self._ending = True
        self._thread.join()
        self._socket.close()
