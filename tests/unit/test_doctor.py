"""Each planted problem is found and has a remedy; what is healthy is left in peace."""

from __future__ import annotations

import io
import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bci.commands import main
from bci.commands.doctor import show
from bci.doctor.checkup import Facts, Section, as_json, check_streams, examine, exit_code, trouble
from bci.doctor.clocks import ClockFacts, check_clocks
from bci.doctor.discovery import DiscoveryFacts, check_discovery
from bci.doctor.finding import Finding, ok, problem, warn
from bci.doctor.network import Interface, NetworkFacts, check_network
from bci.doctor.observe.machine import User, one_port
from bci.doctor.observe.network import interfaces
from bci.doctor.ports import PortFacts, check_ports
from bci.doctor.streams import DeclaredChannel, StreamFacts
from bci.doctor.windows import PACKAGES, WindowFacts, check_windows
from bci.stream.lsl_config import Ports, config_files, read_config
from bci.stream.stream_query import StreamQuery

LO = Interface("lo", True, True, False, ("127.0.0.1",))
ETH = Interface("eth0", True, False, True, ("192.168.1.5",), heard=True)
HEALTHY = DiscoveryFacts(0.1, 118)
CLOCKS = ClockFacts(1e-7, 0.0, 0.0, 0.0002, 2026, True)
EEG = tuple(DeclaredChannel(x, "EEG", "microvolts") for x in ("C3", "Cz", "C4"))


def network(*more: Interface, **fields: object) -> list[Finding]:
    return bad(check_network(NetworkFacts((LO, *more), **fields)))  # type: ignore[arg-type]


def bad(findings: list[Finding]) -> list[Finding]:
    return [f for f in findings if f.level != "ok"]


def stream(**fields: object) -> StreamFacts:
    """Six seconds of a healthy stream."""
    rate_hz, real_hz = 250.0, float(fields.pop("real_hz", 250.0))  # type: ignore[arg-type]
    n = round(6 * real_hz)
    rng = np.random.default_rng(1)
    stamps = 100.0 + np.arange(n) / real_hz
    arrivals = tuple((float(stamps[k + 4]) + 0.002, 5) for k in range(0, n - 5, 5))
    healthy = StreamFacts(
        "amp", "EEG", "amp-1", "here", "uid", "float32", rate_hz, 3, EEG, "", 6.0,
        4000 + rng.normal(0, 12, (n, 3)), stamps, arrivals, 0.0, 1.7e9, True,
    )  # fmt: skip
    return replace(healthy, **fields)  # type: ignore[arg-type]


def found(*streams: StreamFacts) -> list[Finding]:
    return bad(check_streams(streams))


def one(findings: list[Finding], topic: str, *words: str) -> Finding:
    """The only finding, which is about this and says these words."""
    assert len(findings) == 1, findings
    assert findings[0].topic == topic
    assert findings[0].remedy
    assert [w for w in words if w not in findings[0].what + findings[0].remedy] == []
    return findings[0]


def test_a_healthy_network_has_no_finding() -> None:
    assert network(ETH) == []


def test_a_machine_without_a_network_is_healthy() -> None:
    assert network() == []


@pytest.mark.parametrize("name", ["tun0", "wg0", "utun4", "ppp0", "tailscale0", "nordlynx", "Cisco AnyConnect", "OpenVPN TAP"])
def test_a_vpn_is_found(name: str) -> None:
    one(network(ETH, replace(ETH, name=name, addresses=("10.8.0.2",))), "VPN", name, "KnownPeers")


@pytest.mark.parametrize("name", ["eth0", "wlan0", "en0", "docker0", "Wi-Fi", "Ethernet 2"])
def test_what_is_no_vpn_is_not_called_one(name: str) -> None:
    assert network(replace(ETH, name=name)) == []


def test_a_vpn_interface_without_an_address_is_no_finding() -> None:
    assert network(ETH, Interface("utun0", True, False, True, ())) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"heard": False}, "nothing came back"),
        ({"heard": None, "error": "Network is unreachable"}, "unreachable"),
        ({"multicast": False, "heard": None}, "does not support"),
    ],
)
def test_multicast_that_does_not_work_is_found(change: dict[str, object], word: str) -> None:
    one(network(replace(ETH, **change)), "multicast", "eth0", word)  # type: ignore[arg-type]


def test_an_interface_that_found_no_address_is_found() -> None:
    one(network(replace(ETH, addresses=("169.254.7.7",))), "interfaces", "169.254.7.7")


def test_a_loopback_that_is_down_is_a_problem() -> None:
    findings = bad(check_network(NetworkFacts((replace(LO, up=False), ETH))))
    assert one(findings, "interfaces", "loopback").level == "problem"


def test_a_firewall_is_a_hint_unless_it_has_a_rule_for_lsl() -> None:
    assert one(network(ETH, firewalls=("ufw",)), "firewall", "ufw", "16571").level == "warn"
    assert network(ETH, firewalls=("ufw",), lsl_allowed=True) == []


def test_multicast_is_really_sent_and_heard_where_there_is_an_interface_for_it() -> None:
    tried = [i for i in interfaces() if i.used and i.multicast]
    assert all(i.heard is not None or i.error for i in tried)
    assert any(i.loopback and i.up for i in interfaces())


def test_discovery_that_works_has_no_finding() -> None:
    assert bad(check_discovery(HEALTHY)) == []


@pytest.mark.parametrize(
    ("change", "topic", "word"),
    [
        ({"found_after_s": None}, "discovery", "not found"),
        ({"found_after_s": 3.0}, "discovery", "3.0 s"),
        ({"library": 113}, "discovery", "1.13"),
        ({"configs": ("a.cfg",), "problems": ("PortRange = 'x' is no number",)}, "lsl_api.cfg", "PortRange"),
        ({"configs": ("a.cfg", "b.cfg")}, "lsl_api.cfg", "b.cfg"),
        ({"configs": ("a.cfg",), "session": "lab2"}, "lsl_api.cfg", "lab2"),
        ({"configs": ("a.cfg",), "scope": "machine"}, "lsl_api.cfg", "machine"),
        ({"ports": Ports(16572, 32, 10, "/etc/lsl_api.cfg")}, "ports", "10 of LSL's 32 service ports"),
        ({"ports": Ports(16572, 32, 0, "/etc/lsl_api.cfg")}, "ports", "PortRange = 128 under [ports] in /etc/lsl_api.cfg"),
    ],
)
def test_what_hinders_discovery_is_found(change: dict[str, object], topic: str, word: str) -> None:
    one(bad(check_discovery(replace(HEALTHY, **change))), topic, word)  # type: ignore[arg-type]


def test_a_session_of_its_own_is_no_finding_where_streams_are_seen() -> None:
    facts = replace(HEALTHY, configs=("a.cfg",), session="lab2", streams_here=1)
    assert bad(check_discovery(facts)) == []


def test_a_configuration_file_is_read_as_liblsl_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "lsl_api.cfg"
    path.write_text(
        "[lab]\nSessionID = lab2\nKnownPeers = 10.0.0.3\n[multicast]\nResolveScope = planet\n[ports]\nPortRange = x\n"
    )
    settings, problems = read_config(path)
    assert settings["sessionid"] == "lab2"
    assert len(problems) == 3
    assert config_files({"LSLAPICFG": str(path)})[0] == str(path.resolve())


def test_a_configuration_file_that_is_none_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "lsl_api.cfg"
    path.write_text("SessionID lab2\n\0\xff")
    assert len(read_config(path)[1]) == 1


def test_healthy_clocks_have_no_finding() -> None:
    assert bad(check_clocks(CLOCKS)) == []


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        ({"step_s": 0.0156}, "clock"),
        ({"backward_s": 0.002}, "clock"),
        ({"drift_s": 0.01}, "clock"),
        ({"oversleep_s": 0.015}, "timers"),
        ({"year": 1970}, "calendar"),
        ({"first": False}, "scheduling"),
    ],
)
def test_a_bad_clock_is_found(change: dict[str, object], topic: str) -> None:
    one(bad(check_clocks(replace(CLOCKS, **change))), topic)  # type: ignore[arg-type]


def test_a_healthy_stream_has_no_finding() -> None:
    assert found(stream()) == []


def test_a_healthy_marker_stream_has_no_finding() -> None:
    assert (
        found(stream(type="Markers", channel_format="string", rate_hz=0.0, n_channels=1, channels=(), values=np.empty((0, 0))))
        == []
    )


def channels(**fields: str) -> tuple[DeclaredChannel, ...]:
    return tuple(replace(c, **fields) for c in EEG)


def counting(s: StreamFacts) -> StreamFacts:
    values = np.array(s.values)
    values[:, 1] = np.arange(len(values)) % 256
    return replace(s, values=values)


PLANTED: dict[str, tuple[Callable[[], StreamFacts], str, str, str]] = {
    "volts declared as microvolts": (lambda: stream(values=stream().values * 1e-6), "units", "problem", "unit=V"),
    "microvolts declared as volts": (lambda: stream(channels=channels(unit="V")), "units", "problem", "unit=uV"),
    "millivolts declared as microvolts": (lambda: stream(values=stream().values * 1e-3), "units", "problem", "unit=mV"),
    "no unit": (lambda: stream(channels=channels(unit="")), "units", "warn", "uV"),
    "a unit that is none": (lambda: stream(channels=channels(unit="bananas")), "units", "problem", "bananas"),
    "unix time": (lambda: stream(stamps=stream().stamps + 1.7e9), "stamps", "problem", "unix"),
    "stamps of some other clock": (lambda: stream(stamps=stream().stamps - 50.0), "stamps", "problem", "behind"),
    "stamps of the future": (lambda: stream(stamps=stream().stamps + 0.5), "stamps", "warn", "ahead"),
    "stamps that are no numbers": (lambda: stream(stamps=stream().stamps * np.nan), "stamps", "problem", "not numbers"),
    "a slower rate": (lambda: stream(real_hz=200.0), "rate", "problem", "200"),
    "a rate off by 3 %": (lambda: stream(real_hz=242.0), "rate", "warn", "242"),
    "silence": (lambda: stream(values=np.empty((0, 3)), stamps=np.empty(0), arrivals=()), "rate", "problem", "nothing"),
    "a counter among electrodes": (lambda: counting(stream()), "types", "problem", "Cz"),
    "a counter by name": (lambda: stream(channels=(*EEG[:2], replace(EEG[2], label="COUNTER"))), "types", "warn", "COUNTER"),
    "electrodes declared AUX": (lambda: stream(channels=channels(type="AUX")), "types", "warn", "AUX"),
    "text declared as EEG": (lambda: stream(channel_format="string", values=np.empty((0, 0))), "types", "problem", "text"),
    "EEG without a rate": (lambda: stream(rate_hz=0.0), "types", "problem", "rate"),
    "type in small letters": (lambda: stream(type="eeg"), "types", "warn", "case"),
    "EEG by another name": (lambda: stream(type="ExG", channels=channels(type="", unit="")), "types", "warn", "ExG"),
    "markers that are a signal": (lambda: stream(type="Markers", channels=()), "types", "warn", "trigger"),
    "too few descriptions": (lambda: stream(channels=EEG[:2]), "labels", "problem", "describes 2"),
    "labels twice": (lambda: stream(channels=(EEG[0], EEG[0], EEG[2])), "labels", "problem", "c3"),
    "no labels": (lambda: stream(channels=channels(label="")), "labels", "warn", "name"),
    "no source_id": (lambda: stream(source_id=""), "names", "warn", "source_id"),
    "no name": (lambda: stream(name=" "), "names", "warn", "no name"),
    "not a number": (lambda: stream(values=np.where(np.arange(3) == 0, np.nan, stream().values)), "values", "problem", "C3"),
    "a channel that never changes": (lambda: stream(values=stream().values * (1, 1, 0)), "values", "warn", "C4"),
    "a sender behind a firewall": (lambda: stream(error="no answer"), "connection", "problem", "no answer"),
    "a clock that does not answer": (lambda: stream(offset_s=None), "clock", "warn", "UDP"),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_problem_of_a_stream_is_found_and_nothing_else(what: str) -> None:
    make, topic, level, word = PLANTED[what]
    findings = [f for f in found(make()) if f.topic == topic]
    assert one(findings, topic, word).level == level
    others = {f.topic for f in found(make())} - {topic}
    assert others <= ({"units"} if what in ("too few descriptions", "EEG by another name") else set())


def test_two_streams_of_one_name_are_found() -> None:
    one(found(stream(), stream(source_id="amp-2", uid="other")), "names", "2 streams of type 'EEG' are called 'amp'")


def test_two_streams_of_one_source_id_are_a_problem() -> None:
    assert one(found(stream(), stream(name="amp2", uid="other")), "names", "amp-1").level == "problem"


def test_one_name_and_source_id_for_the_eeg_and_the_motion_of_one_headset_is_no_finding() -> None:
    motion = tuple(DeclaredChannel(x, "ACC", "g") for x in "XYZ")
    assert found(stream(), stream(type="ACC", channels=motion, uid="other")) == []


def test_a_board_that_sends_in_bursts_is_left_in_peace() -> None:
    rng = np.random.default_rng(3)
    s = stream()
    late = np.maximum.accumulate([t + rng.exponential(0.06) for t, _ in s.arrivals])
    assert found(replace(s, arrivals=tuple((float(t), 5) for t in late))) == []


def test_windows_are_no_matter_where_qt_is_not_installed() -> None:
    assert bad(check_windows(WindowFacts("", (3, 11), tuple(PACKAGES)))) == []


def test_the_qt_that_aborts_is_found() -> None:
    assert bad(check_windows(WindowFacts("6.12.0", (3, 12)))) == []
    assert one(bad(check_windows(WindowFacts("6.12.0", (3, 11)))), "windows", "aborts").level == "problem"


def test_missing_qt_libraries_are_found_with_their_packages() -> None:
    facts = WindowFacts("6.11.0", (3, 11), ("libEGL.so.1", "libxcb-cursor.so.0"), display=True)
    one(bad(check_windows(facts)), "windows", "libEGL.so.1", "libegl1 libxcb-cursor0")
    without = replace(facts, missing=("libxcb-cursor.so.0",), display=False)
    assert bad(check_windows(without)) == []


@pytest.fixture
def terminal() -> Iterator[str]:
    """Path of a pseudo-terminal."""
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_port_that_may_be_used_has_no_finding(terminal: str) -> None:
    assert bad(check_ports((one_port(terminal, User(os.geteuid())),))) == []


def test_a_port_without_permission_is_found_with_its_group(terminal: str) -> None:
    os.chmod(terminal, 0o600)
    port = one_port(terminal, User(12345, frozenset((12345,))))
    assert port.group
    assert one(bad(check_ports((port,))), "serial ports", terminal, "usermod").level == "problem"


def test_a_port_is_permitted_through_its_group(terminal: str) -> None:
    os.chmod(terminal, 0o660)
    group = os.stat(terminal).st_gid
    assert one_port(terminal, User(12345, frozenset((group,)))).permitted
    assert not one_port(terminal, User(12345)).permitted


def test_a_port_that_is_not_there_is_found() -> None:
    assert one(bad(check_ports((one_port("/dev/ttyUSB77", None),))), "serial ports", "does not exist").level == "problem"


@pytest.mark.skipif(sys.platform != "linux", reason="who holds a file open is looked up in /proc, which only Linux has")
def test_a_port_that_another_program_holds_is_found(terminal: str) -> None:
    code = "import sys; f = open(sys.argv[1], 'rb', 0); print('open', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", code, terminal]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        findings = bad(check_ports((one_port(terminal, User(0)),)))
    assert one(findings, "serial ports", f"process {other.pid}").level == "problem"


def test_programs_that_grab_ports_matter_only_where_something_is_plugged_in() -> None:
    running = frozenset(("ModemManager", "bash"))
    one(bad(check_ports((PortFacts("/dev/ttyUSB0"),), running)), "serial ports", "ModemManager")
    assert bad(check_ports((PortFacts("/dev/ttyS0", wanted=False),), running)) == []


def test_a_healthy_machine_has_no_finding_and_exits_with_0() -> None:
    facts = Facts(HEALTHY, NetworkFacts((LO, ETH)), CLOCKS, (stream(),), WindowFacts("6.11.0", (3, 11)), ())
    sections = examine(facts)
    assert trouble(sections) == []
    assert exit_code(sections) == 0
    assert all(s.findings for s in sections)


def test_the_worst_comes_first_and_decides_the_exit_code() -> None:
    sections = (Section("a", (warn("x", "w", "r"), ok("y", "fine"), problem("z", "p", "r"))),)
    assert [f.level for f in trouble(sections)] == ["problem", "warn"]
    assert exit_code(sections) == 11
    assert exit_code((Section("a", (warn("x", "w", "r"),)),)) == 0
    assert as_json(sections)["count"] == {"ok": 1, "warn": 1, "problem": 1}


def test_the_terminal_shows_level_and_remedy_in_words_and_what_strangers_named_as_text() -> None:
    out = io.StringIO()
    evil = "[red]amp[/red]\x1b]0;owned\x07"
    sections = (Section("streams", (warn("names", f"stream {evil} has a twin", "Rename one."), ok("rate", "250 Hz"))),)
    show(sections, Console(file=out, force_terminal=False, width=200))
    shown = out.getvalue()
    assert "WARNING" in shown
    assert "→ Rename one." in shown
    assert "[red]amp[/red]" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "0 problems, 1 warning" in shown


def test_a_time_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--seconds", "0", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "ConfigError"


@pytest.mark.parametrize("name", ["openvibeSignal", "EEG, 8 channels", 'it\'s "raw"', ""])
def test_the_option_that_is_advised_for_a_stream_of_another_type_means_that_stream(name: str) -> None:
    odd = stream(name=name, type="signal", channels=channels(type=""))
    advice = next(f.remedy for f in found(odd) if "--stream" in f.remedy)
    given = shlex.split(advice)[shlex.split(advice).index("--stream") + 1]
    query = StreamQuery.parse(given)
    assert query.matches(odd.name, odd.type, odd.source_id, odd.host)
    assert not query.matches("another", odd.type, "another", odd.host)
