"""Which runs are trained on and which later ones are decoded, for each person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bci.settings import (
    DecoderSection,
    MarkersSection,
    PreprocessingSection,
    SessionConfig,
    StreamSection,
    TrialSection,
)

DATA = Path(__file__).parents[3].parent / "shared" / "data"
MONTAGE = Path(__file__).with_name("labrecorder.toml")


@dataclass(frozen=True, slots=True)
class Person:
    """One line of the table.

    Parameters
    ----------
    name : str
    data_set : str
    train, test : tuple of Path
        Earlier runs, and later ones.
    config : SessionConfig
        As ``bci train`` and ``bci engine`` would be given it.
    in_mean : bool
        Whether the line counts in the mean over recordings.
    """

    name: str
    data_set: str
    train: tuple[Path, ...]
    test: tuple[Path, ...]
    config: SessionConfig
    in_mean: bool = True


def config(decoder: str, table: dict[str, str], trial_s: tuple[float, float], **stream: str) -> SessionConfig:
    """Settings of a person: windows as long as the trial, everything else as it comes."""
    start_s, stop_s = trial_s
    return SessionConfig(
        stream=StreamSection(**stream),  # type: ignore[arg-type]
        markers=MarkersSection(table=table),
        preprocessing=PreprocessingSection(window_s=stop_s - start_s),
        trial=TrialSection(start_s=start_s, stop_s=stop_s),
        decoder=DecoderSection(name=decoder),
    )


def people(decoder: str, data: Path = DATA) -> list[Person]:
    """Every line of the table, in its order."""
    return [*_physionet(decoder, data), *_ds003810(decoder, data), *_labrecorder(decoder, data)]


def _physionet(decoder: str, data: Path) -> list[Person]:
    """Imagined left or right fist, 64 channels, 160 Hz."""
    runs = tuple(data / "physionet-eegmmi" / f"S001R{run:02}.edf" for run in (4, 8, 12))
    settings = config(decoder, {"T1": "left", "T2": "right"}, (0.5, 2.5))
    return [Person("physionet S001", "physionet", runs[:2], runs[2:], settings)]


def _ds003810(decoder: str, data: Path) -> list[Person]:
    """Imagined right hand or rest, 15 channels, 125 Hz, consumer board."""
    settings = config(decoder, {"OVTK_GDF_Right": "right", "OVTK_GDF_Tongue": "rest"}, (0.5, 4.0), unit="uV")
    found = []
    for subject in ("S03", "S04", "S05", "S10"):
        runs = tuple(data / "mi-rest-ds003810" / subject / f"{subject}_RUN{run}.edf" for run in (1, 2, 3, 4))
        found.append(Person(f"ds003810 {subject}", "ds003810", runs[:3], runs[3:], settings))
    return found


def _labrecorder(decoder: str, data: Path) -> list[Person]:
    """Left or right, 11 channels, 125 Hz, consumer board over a radio link, one person on two days."""
    settings = config(decoder, {"2": "left", "3": "right"}, (0.5, 4.5), montage=str(MONTAGE))
    day1, day2 = (
        tuple(data / "labrecorder-mi" / f"subjT_2022-04-{day}_run{run:02}.xdf" for run in range(1, n + 1))
        for day, n in (("07", 6), ("08", 5))
    )
    return [
        Person("labrecorder day 1", "labrecorder", day1[1:5], day1[5:], settings),
        Person("labrecorder day 2", "labrecorder", day2[:4], day2[4:], settings),
        Person("labrecorder day 1 → day 2", "labrecorder", day1[1:], day2, settings),
        Person("labrecorder day 1 with its lossy run → day 2", "labrecorder", day1, day2, settings, in_mean=False),
    ]
