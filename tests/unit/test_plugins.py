"""Plug-ins are found by name; what is missing is named together with what installs it."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from bci import plugins
from bci.config import load_config, presets
from bci.errors import ConfigError, PluginError
from bci.session.plan import source_words

OURS = ("devices", "pipelines", "gui")


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (group, point.name)
        for group in plugins.GROUPS
        for point in entry_points(group=group)
        if point.module.split(".")[0] in OURS
    ],
)
def test_every_plug_in_of_ours_can_be_loaded(group: str, name: str) -> None:
    assert plugins.load(group, name) is not None


def test_an_unknown_name_is_refused_with_the_nearest_and_how_to_add_one() -> None:
    with pytest.raises(PluginError, match=r"did you mean ts-lr.*entry-points\.\"bci\.decoders\"") as raised:
        plugins.load(plugins.DECODERS, "ts_lr")
    assert raised.value.exit_code == 8


def register(folder: Path, monkeypatch: pytest.MonkeyPatch, points: str, name: str = "third_party") -> None:
    """Install a distribution of somebody else's: metadata in a folder on the path."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(points)
    if str(folder) not in sys.path:
        monkeypatch.syspath_prepend(str(folder))


def test_a_third_party_adds_a_decoder_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_decoder.py").write_text("class Fancy:\n    pass\n")
    register(tmp_path, monkeypatch, "[bci.decoders]\nfancy = their_decoder:Fancy\n")
    assert "fancy" in plugins.names(plugins.DECODERS)
    assert plugins.load(plugins.DECODERS, "fancy").__name__ == "Fancy"


def test_a_missing_package_is_named_with_the_extra_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_network.py").write_text("import torch\n")
    register(tmp_path, monkeypatch, "[bci.decoders]\ntheirs = their_network:Network\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PluginError, match=r"needs the package torch.*pip install 'bci\[networks\]'"):
        plugins.load(plugins.DECODERS, "theirs")


@pytest.mark.parametrize(
    ("source", "point", "expected"),
    [
        ("import surely_not_installed\n", "their_module:Thing", "needs the package surely_not_installed"),
        ("", "their_module:Thing", "cannot be imported.*Thing"),
        ("x = (\n", "their_module:Thing", r"is no valid Python: .*their_module\.py, line 1: '\(' was never closed"),
        ("", "their_module.moved:Thing", "no module their_module.moved; check its name, and install the package again"),
    ],
)
def test_a_broken_plug_in_says_what_is_broken(
    source: str, point: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_module.py").write_text(source)
    register(tmp_path, monkeypatch, f"[bci.sources]\nbroken = {point}\n")
    monkeypatch.delitem(sys.modules, "their_module", raising=False)
    with pytest.raises(PluginError, match=expected):
        plugins.load(plugins.SOURCES, "broken")


def test_a_name_that_two_packages_claim_is_refused_with_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, monkeypatch, "[bci.sources]\namp = one:A\n", name="first")
    register(tmp_path, monkeypatch, "[bci.sources]\namp = two:B\n", name="second")
    with pytest.raises(PluginError, match=r"more than once \(one:A, two:B\)"):
        plugins.load(plugins.SOURCES, "amp")


def project(folder: Path, lines: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that nobody installed: its folder is named in the environment."""
    (folder / "pyproject.toml").write_text(lines)
    monkeypatch.setenv(plugins.FOLDERS, str(folder))
    monkeypatch.setattr(sys, "path", [*sys.path])
    return folder


def test_a_package_that_is_not_installed_is_found_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, '[project.entry-points."bci.sources"]\nmy-amp = "uninstalled_amp:Amp"\n', monkeypatch)
    (tmp_path / "uninstalled_amp.py").write_text("class Amp:\n    pass\n")
    assert "my-amp" in plugins.names(plugins.SOURCES)
    assert "simulated" in plugins.names(plugins.SOURCES)
    assert plugins.load(plugins.SOURCES, "my-amp").__name__ == "Amp"


def test_a_package_in_src_is_found_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, '[project.entry-points."bci.actuators"]\nmotor = "uninstalled_motor:Motor"\n', monkeypatch)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "uninstalled_motor.py").write_text("class Motor:\n    pass\n")
    assert plugins.load(plugins.ACTUATORS, "motor").__name__ == "Motor"


@pytest.mark.parametrize("package", [True, False], ids=["with __init__.py", "only TOML files"])
def test_presets_of_a_package_that_is_not_installed_are_found_by_its_folder(
    package: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"uninstalled_presets_{package}".lower()
    project(tmp_path, f'[project.entry-points."bci.presets"]\nmine = "{name}"\n', monkeypatch)
    (tmp_path / name).mkdir()
    (tmp_path / name / "feet-and-hands.toml").write_text('[decoder]\nname = "mdm"\n')
    if package:
        (tmp_path / name / "__init__.py").touch()
    assert {"feet-and-hands", "motor-imagery"} <= set(presets())
    assert load_config(preset="feet-and-hands").decoder.name == "mdm"


def test_an_unknown_preset_is_refused_with_those_that_are_there_and_how_to_add_one() -> None:
    with pytest.raises(ConfigError, match=r"--preset moter-imagery: no such preset; did you mean motor-imagery.*BCI_PLUGINS"):
        load_config(preset="moter-imagery")
    with pytest.raises(ConfigError) as raised:
        load_config(preset="zzz")
    assert str(raised.value).count("motor-imagery") == 1


def test_a_child_finds_what_the_folders_of_several_packages_register(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(
            f'[project.entry-points."bci.windows"]\n{name} = "{name}_window:Window"\n'
        )
    folders = os.pathsep.join(str(tmp_path / name) for name in ("one", "two"))
    ask = "from bci import plugins; print(plugins.names('bci.windows'))"
    child = subprocess.run(
        [sys.executable, "-c", ask], env={**os.environ, plugins.FOLDERS: folders}, capture_output=True, text=True, check=True
    )
    assert "'one'" in child.stdout
    assert "'two'" in child.stdout


def test_a_package_that_is_installed_and_named_by_its_folder_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "both_ways.py").write_text("class Amp:\n    pass\n")
    register(tmp_path, monkeypatch, "[bci.sources]\namp = both_ways:Amp\n")
    project(tmp_path, '[project.entry-points."bci.sources"]\namp = "both_ways:Amp"\n', monkeypatch)
    assert plugins.load(plugins.SOURCES, "amp").__name__ == "Amp"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (None, "pyproject.toml: cannot be read"),
        ("[project", "pyproject.toml: cannot be read"),
        ("project = 1\n", "pyproject.toml: cannot be read"),
        ('[project.entry-points."bci.sources"]\namp = 1\n', "bci.sources: amp: must name"),
        ('[project.entry-points."bci.sources"]\namp = "a b"\n', "bci.sources: amp: must name"),
    ],
)
def test_a_folder_that_is_no_package_is_refused_with_its_name(
    lines: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lines is None:
        monkeypatch.setenv(plugins.FOLDERS, str(tmp_path))
    else:
        project(tmp_path, lines, monkeypatch)
    with pytest.raises(PluginError, match=rf"BCI_PLUGINS: {tmp_path}.*{expected}"):
        plugins.names(plugins.SOURCES)


@pytest.mark.parametrize(("source", "cues"), [("simulated", ("--listen", "Cues")), ("cyton", ())])
def test_only_a_source_that_can_hear_cues_is_told_to(source: str, cues: tuple[str, ...]) -> None:
    config = load_config(None, {"source.name": source, "markers.stream": "Cues"})
    assert source_words(config) == (source, *cues)
