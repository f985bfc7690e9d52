"""Which footage is used, and what it excuses."""

from pathlib import Path

import pytest

from benchmarks import sources
from benchmarks.programme import Log, Span

HEAD = "file,duration_s,width,height,fps,field_order,audio_codec,decode,kind,content,known_defects,measured,use,note"
GOOD = "a.mp4,5,640,360,25,progressive,aac,ok,natural,street,,audio=rms-20 peak-6,dev,"


def corpus(folder: Path, *rows: str) -> Path:
    (folder / "MANIFEST.csv").write_text("\n".join([HEAD, *rows]) + "\n", "utf-8")
    for row in rows:
        (folder / row.partition(",")[0]).touch()
    return folder


def used(found: list[sources.Source]) -> list[str]:
    return [s.name for s in found if s.path is not None]


def test_a_good_clip_gives_pictures_and_sound(tmp_path: Path) -> None:
    folder = corpus(tmp_path, GOOD)
    assert used(sources.pictures(folder)) == used(sources.sounds(folder)) == ["a.mp4"]
    assert sources.pictures(folder)[0].path == tmp_path / "a.mp4"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (",ok,", ",errors:3,"),
        (",dev,", ",eval,"),
        ("natural", "pattern"),
        (",,audio", ",REAL: lost pictures,audio"),
        ("street,,", "street,colour bars,"),
        ("progressive", "tb"),
        (",25,", ",1.0,"),
        (",25,", ",1000.0,"),
        ("640,360", "176,144"),
        (",5,640", ",0.5,640"),
        ("audio=rms", "freeze=2x/4s; audio=rms"),
    ],
)
def test_what_is_left_out(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    assert used(sources.pictures(corpus(tmp_path, GOOD.replace(old, new, 1)))) == []


@pytest.mark.parametrize("measured", ["audio=rms-180 peak-180", "audio=rms-20 peak-6 sil0.9", ""])
def test_silent_footage_gives_no_sound(tmp_path: Path, measured: str) -> None:
    folder = corpus(tmp_path, GOOD.replace("audio=rms-20 peak-6", measured))
    assert used(sources.sounds(folder)) == []
    assert used(sources.pictures(folder)) == ["a.mp4"]


def test_footage_excuses_what_it_shows(tmp_path: Path) -> None:
    folder = corpus(
        tmp_path, GOOD.replace("street,,audio=rms-20 peak-6", "street,film grain,audio=rms-20 peak0.0")
    )
    assert not sources.pictures(folder)[0].fits("picture_noise")
    assert sources.pictures(folder)[0].fits("freeze")
    assert not sources.sounds(folder)[0].fits("clipping")


def test_a_static_camera_is_no_place_for_a_freeze(tmp_path: Path) -> None:
    folder = corpus(tmp_path, GOOD.replace("street,,", "street,near-static,"))
    assert sources.pictures(folder)[0].moving is False


def test_without_a_corpus_there_are_made_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLITCHWATCH_CORPUS", str(tmp_path / "none"))
    assert sources.corpus() is None
    assert used(sources.pictures(None)) == used(sources.sounds(None)) == []
    assert any(s.moving for s in sources.pictures(None))
    assert any(s.active for s in sources.sounds(None))


def test_the_log_tells_what_was_shown_when() -> None:
    one, two, three = (sources.Source(name, None, "made") for name in ("one", "two", "three"))
    log = Log([Span(0, one), Span(5, two)], [Span(0, three)])
    assert log.at("video:0", 1, 2) == [one]
    assert log.at("video:0", 4.8, 4.9) == [one, two]
    assert log.at("video:0", 9, 9) == [two]
    assert log.at("audio:0", 9, 9) == [three]
    assert log.at(None, 1, 2) == [one, three]


def test_only_sound_that_is_stereo_for_sure_is_held_against_mono(tmp_path: Path) -> None:
    found = sources.sounds(corpus(tmp_path, GOOD))
    assert {s.path is None for s in found if s.fits("mono")} == {True}
