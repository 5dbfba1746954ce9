import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_generator.load.histograms import Histogram

PERCENTS = (0.1, 50, 90, 95, 99, 99.9, 100)
times = st.floats(0, 4_000, allow_nan=False)


def histogram_of(seconds: list[float]) -> Histogram:
    histogram = Histogram()
    for one in seconds:
        histogram.record(one)
    return histogram


@given(st.lists(st.lists(times, max_size=30), min_size=1, max_size=4))
def test_merged_histograms_are_the_histogram_of_all(parts: list[list[float]]) -> None:
    merged = Histogram.merged(histogram_of(part).encoded() for part in parts)
    whole = histogram_of([one for part in parts for one in part])
    assert merged.count == whole.count
    assert [merged.percentile_ms(p) for p in PERCENTS] == [whole.percentile_ms(p) for p in PERCENTS]
    assert merged.encoded() == whole.encoded()


@given(st.lists(times, min_size=1, max_size=200), st.sampled_from(PERCENTS))
def test_a_percentile_has_three_digits(seconds: list[float], percent: float) -> None:
    ordered = sorted(min(max(one, 1e-6), 3_600.0) for one in seconds)
    told_s = histogram_of(seconds).percentile_ms(percent) / 1000
    rank = max(1, -(-len(ordered) * percent // 100))  # the smallest time that so many did not exceed
    near = [ordered[min(int(rank) - 1 + off, len(ordered) - 1)] for off in (-1, 0, 1) if int(rank) - 1 + off >= 0]
    assert any(told_s == pytest.approx(one, rel=2e-3, abs=2e-6) for one in near)


def test_an_empty_histogram_tells_nothing() -> None:
    empty = Histogram()
    assert (empty.count, empty.percentile_ms(99), empty.max_ms) == (0, 0.0, 0.0)
    assert Histogram.merged([empty.encoded(), histogram_of([0.5]).encoded()]).count == 1


def test_a_cleared_histogram_is_a_new_one() -> None:
    histogram = histogram_of([0.001, 2.0])
    histogram.clear()
    histogram.record(0.01)
    assert histogram.encoded() == histogram_of([0.01]).encoded()


def test_other_bytes_are_refused() -> None:
    for other in (b"", b"not one", b"\x1c\x84\x93\x14\x00\x00\x00\x01x"):
        with pytest.raises(ValueError, match="not an encoded histogram"):
            Histogram.decoded(other)
