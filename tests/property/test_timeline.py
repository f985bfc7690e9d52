"""Whatever clocks do, media time goes forward."""

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.ingest.timeline import NS, Timeline

MS = 1_000_000

STEPS = st.one_of(
    st.just(40 * MS),
    st.integers(-2 * NS, 20 * NS),
    st.integers(-(1 << 45), 1 << 45),  # some nine hours either way
)
PLACED = st.tuples(st.sampled_from(["video:0", "audio:0", "audio:1"]), STEPS, st.integers(1, 200 * MS))
ANNOUNCED = st.tuples(st.just("announce"), st.integers(1, 3), st.just(0))
REJOINED = st.tuples(st.just("rejoin"), st.just(0), st.just(0))


@settings(max_examples=300, deadline=None)
@given(
    wraps=st.booleans(),
    start=st.integers(0, 1 << 46),
    actions=st.lists(st.one_of(PLACED, PLACED, PLACED, ANNOUNCED, REJOINED), max_size=60),
)
def test_kept_samples_never_go_back_and_ticks_go_up(
    wraps: bool, start: int, actions: list[tuple[str, int, int]]
) -> None:
    timeline = Timeline(wraps=wraps)
    raw = {"video:0": start, "audio:0": start + 3 * MS, "audio:1": start}
    last: dict[str, int] = {}
    ticks: list[int] = []
    for name, number, duration in actions:
        if name == "announce":
            timeline.discontinuity(list(raw), number)
            continue
        if name == "rejoin":
            timeline.rejoin()
            continue
        raw[name] = max(0, raw[name] + number)
        clock = timeline.clock(name, 100 * MS)
        placed = timeline.place(clock, raw[name], duration)
        for event in placed.breaks:
            assert event.track == name
            assert event.at_ns >= 0
        if placed.keep:
            assert placed.at_ns > last.get(name, -1 << 62)
            last[name] = placed.at_ns
            assert clock.end_ns == placed.at_ns + duration
        ticks += [t.at_ns for t in timeline.ticks()]
    assert ticks == sorted(set(ticks))


@settings(max_examples=200, deadline=None)
@given(
    start=st.integers(0, (1 << 33) - 1),
    jump=st.integers(12 * 90_000, (1 << 32) - 1),
    lag=st.integers(-90_000 // 10, 90_000 // 10),
    first=st.booleans(),
)
def test_a_jump_of_both_tracks_leaves_them_as_far_apart(start: int, jump: int, lag: int, first: bool) -> None:
    def ns(ticks: int) -> int:
        return (ticks % (1 << 33)) * NS // 90_000

    timeline = Timeline(wraps=True)
    video, audio = timeline.clock("video:0", 200 * MS), timeline.clock("audio:0", 60 * MS)
    at = {"v": 0, "a": 0}
    for i in range(25):
        at["v"] = timeline.place(video, ns(start + 9_000 + i * 3600), 40 * MS).at_ns
        at["a"] = timeline.place(audio, ns(start + 9_000 + lag + i * 3600), 40 * MS).at_ns
    assert abs(at["a"] - at["v"] - lag * NS // 90_000) < 10
    order = [(video, 0, "v"), (audio, lag, "a")]
    for clock, offset, name in order if first else reversed(order):
        placed = timeline.place(clock, ns(start + 9_000 + jump + offset + 25 * 3600), 40 * MS)
        assert placed.keep
        at[name] = placed.at_ns
    assert abs(at["a"] - at["v"] - lag * NS // 90_000) < 10
