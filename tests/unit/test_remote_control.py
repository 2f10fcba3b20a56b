"""LabRecorder's remote control: the documented commands work, others are refused, and only from this machine."""

import socket
from contextlib import ExitStack, suppress

import pytest

from bci.errors import ConfigError, RecordingError
from bci.recording import line_server
from bci.recording.line_server import MOST_CLIENTS
from bci.recording.remote_control import Commands, FileName, RemoteControl


class Remote:
    """Takes down what it is asked for."""

    def __init__(self):
        self.asked = []

    def start(self):
        if "start" in self.asked:
            raise RecordingError("is being recorded;\nstop it first")
        self.asked.append("start")

    def stop(self):
        self.asked.append("stop")

    def select(self, everything):
        self.asked.append(everything)

    def rename(self, name):
        self.asked.append(name)


@pytest.fixture
def remote():
    return Remote()


@pytest.fixture
def control(remote, tmp_path):
    with RemoteControl(Commands(remote, FileName(tmp_path)), port=0) as control:
        yield control


def ask(connection, line):
    connection.sendall(line.encode() + b"\n")
    return connection.recv(1000).decode()


def test_the_example_of_labrecorders_manual_works(control, remote, tmp_path):
    with socket.create_connection(("127.0.0.1", control.port)) as connection:
        assert ask(connection, "update") == "OK"
        assert ask(connection, "select all") == "OK"
        root = f"{{root:{tmp_path}/Data}}"
        line = rf"filename {root} {{template:exp%n\%p_block_%b.xdf}} {{run:2}} {{participant:P003}} {{task:MemoryGuided}}"
        assert ask(connection, line) == "OK"
        assert ask(connection, "start") == "OK"
        assert ask(connection, "start").startswith("ERROR: is being recorded; stop it first")
        assert ask(connection, "stop\r") == "OK"
    everything, name, *rest = remote.asked
    assert everything is True
    assert name.path() == tmp_path / "Data" / "exp002" / "P003_block_MemoryGuided.xdf"
    assert rest == ["start", "stop"]


def test_without_a_template_files_are_named_as_ours_are(tmp_path):
    name = FileName(tmp_path).with_options("{participant:P7} {session:2} {task:mi}")
    assert name.path() == tmp_path / "sub-P7/ses-2/eeg/sub-P7_ses-2_task-mi_run-001_eeg.xdf"


def test_an_existing_file_is_kept_and_the_new_one_gets_another_name(tmp_path):
    name = FileName(tmp_path, template="%p.xdf")
    name.path().write_bytes(b"")
    assert name.path().name == "P001-2.xdf"


@pytest.mark.parametrize("template", ["../%p.xdf", "/etc/%p", "C:\\x.xdf", "%z.xdf", ".."])
def test_a_template_cannot_lead_out_of_the_root(tmp_path, template):
    with pytest.raises(ConfigError, match="template"):
        FileName(tmp_path, template=template).path()


def test_wrong_options_are_all_listed(tmp_path):
    with pytest.raises(ConfigError) as caught:
        FileName(tmp_path).with_options("{participant:Jane Doe} {run:x} {colour:red} junk")
    assert len(caught.value.problems) == 4


def test_a_browser_that_is_tricked_into_posting_commands_gets_nowhere(control, remote):
    with socket.create_connection(("127.0.0.1", control.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nstart\nstop\n")
        assert connection.recv(1000).startswith(b"ERROR: 'POST' is not a command")
        with suppress(ConnectionResetError):  # closed with the rest unread
            assert connection.recv(1000) == b""
    assert remote.asked == []


def test_it_listens_on_loopback_only_and_says_when_the_port_is_taken(control, remote, tmp_path):
    assert control._server.getsockname()[0] == "127.0.0.1"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RecordingError, match="is LabRecorder running"):
            RemoteControl(Commands(remote, FileName(tmp_path)), port=taken.getsockname()[1])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("{root:/tmp/a\0b}", "holds"),
        ("{template:a\0b}", "holds"),
        ("{template:\x1b[31mred}", "holds"),
        ("{template:%p\x7f}", "holds"),
        ("{template:" + "x" * 3000 + "}", "too long"),
        ("{root:/tmp/" + "y" * 3000 + "}", "too long"),
        ("{root:/tmp" + "/yy" * 1000 + "}", "too long"),
        ("{template:" + "é" * 150 + "}", "too long"),
        ("{participant:" + "x" * 33 + "}", "letters or digits"),
        ("{session:a\0}", "letters or digits"),
        ("{run:99999}", "0 to 9999"),
        ("{template:.}", "below the root"),
        ("{root:}{template:..}", "below the root"),
    ],
)
def test_a_name_that_no_file_can_have_is_an_error_at_once_and_the_names_before_it_stay(control, remote, options, why):
    with socket.create_connection(("127.0.0.1", control.port)) as connection:
        answer = ask(connection, f"filename {options}")
        assert answer.startswith("ERROR: ")
        assert why in answer
        assert ask(connection, "start") == "OK"
    assert remote.asked == ["start"]


def test_what_the_system_refuses_is_an_answer_and_the_next_command_is_heard(remote, tmp_path):
    def start():
        raise OSError(36, "File name too long")

    remote.start = start
    commands = Commands(remote, FileName(tmp_path))
    assert commands("start") == "ERROR: [Errno 36] File name too long"
    assert commands("stop") == "OK"


def test_bytes_that_are_no_text_and_lines_without_end_are_answered(control, remote):
    with socket.create_connection(("127.0.0.1", control.port)) as connection:
        assert ask(connection, "update") == "OK"
        connection.sendall(b"filename {template:\xff\xfe}\n")
        assert connection.recv(1000).startswith(b"ERROR: the command is not UTF-8")
        assert ask(connection, "start") == "OK"
    with socket.create_connection(("127.0.0.1", control.port)) as connection:
        connection.sendall(b"filename " + b"x" * 10_000)
        assert connection.recv(1000).startswith(b"ERROR: a line must have fewer")
    assert remote.asked == ["start"]


def test_a_thousand_connections_that_are_held_open_keep_nobody_from_stopping(control, remote):
    """The person's own connection, over which the recording was begun, stays open too."""
    with ExitStack() as held, socket.create_connection(("127.0.0.1", control.port)) as person:
        assert ask(person, "start") == "OK"
        for _ in range(1000):
            one = held.enter_context(socket.create_connection(("127.0.0.1", control.port), 3.0))
            with suppress(ConnectionError):
                one.sendall(b"sta")
        assert control.clients <= MOST_CLIENTS
        with socket.create_connection(("127.0.0.1", control.port)) as another:
            assert ask(another, "stop") == "OK"
        assert ask(person, "stop") == "OK"
    assert remote.asked == ["start", "stop", "stop"]


def test_a_connection_that_never_says_anything_is_closed_after_a_while(control, monkeypatch):
    monkeypatch.setattr(line_server, "SILENT_S", 0.3)
    with (
        socket.create_connection(("127.0.0.1", control.port)) as silent,
        socket.create_connection(("127.0.0.1", control.port)) as person,
    ):
        assert ask(person, "update") == "OK"
        silent.settimeout(10.0)
        assert silent.recv(10) == b""
        assert ask(person, "update") == "OK"
