"""The key of the session that windows show, and what tells the session's own messages from those of others."""

from __future__ import annotations

from collections.abc import Callable

from bci.errors import ConfigError
from bci.stream import keys
from bci.stream.lsl import this_host
from bci.stream.signing import Checker, looks_signed
from gui.message_values import GuardReport


class SessionKey:
    """The key of one session at a time.

    Parameters
    ----------
    clock : callable
        Our LSL clock, seconds.
    complain : callable
        Takes a sentence that says why a key cannot be used.

    Attributes
    ----------
    key : bytes or None
        The session's, where this user has it.
    own : bool
        Whether it is this session's alone. A session that has just been started has none yet, and the key that programs begun by
        hand share is found in its place.
    asked_s : float
        When it was looked for last, our LSL clock.
    signed : bool
        Whether the session signs what it says.
    verified : bool
        Whether a report was signed with the key.
    """

    def __init__(self, clock: Callable[[], float], complain: Callable[[str], None]) -> None:
        self._clock, self._complain = clock, complain
        self.key: bytes | None = None
        self.own = False
        self._wrong = ""
        self.asked_s = 0.0
        self.signed = self.verified = False
        self._with_key = self._without = Checker(None, clock, this_host())

    def begin(self, session: str) -> None:
        """Another session: nothing is known of its signatures yet.

        Parameters
        ----------
        session : str
            Identifier of the session; empty: none.
        """
        self.signed = self.verified = False
        self.key, self._wrong = None, ""
        self._with_key = self._without = Checker(None, self._clock, this_host())
        self.look_for(session)

    def look_for(self, session: str) -> None:
        """Look for the key of a session among the keys of this user.

        Parameters
        ----------
        session : str
            Identifier of the session; empty: none.
        """
        self.asked_s, before, wrong_before = self._clock(), self.key, self._wrong
        self.own = keys.has_own_key(session)
        try:
            self.key, self._wrong = keys.key_of(session), ""
        except ConfigError as error:
            self.key, self._wrong = None, str(error)
        if self._wrong and self._wrong != wrong_before:
            self._complain(self._wrong)
        if self.key == before:
            return
        self._with_key, self._without = (Checker(key, self._clock, this_host()) for key in (self.key, None))

    def checker(self, text: str, keyed: bool) -> Checker:
        """What checks this line of a guard. Where nothing is signed every line counts, whatever key this user has.

        Parameters
        ----------
        text : str
        keyed : bool
            Whether the session obeys only what is signed.
        """
        return self._with_key if keyed or looks_signed(text) else self._without

    def hear(self, report: GuardReport) -> bool:
        """Take note of how a report is signed; whether it is the first one that proves to be signed with the key.

        Parameters
        ----------
        report : GuardReport
        """
        self.signed = self.signed or (report.signed and (report.ours or self.key is None))
        first = report.ours and report.signed and self.key is not None and not self.verified
        self.verified = self.verified or first
        return first
