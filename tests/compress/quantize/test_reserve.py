"""A search's time holds its end as well: the last trial, the finalists' rounding and their race."""

from hypothesis import given
from hypothesis import strategies as st

from edgecnn.compress.quantize.reserve import MOST_CORRECTION_S, share_out
from edgecnn.compress.quantize.search import FINALISTS, LAST_RACE_S, RACE_S

RACE = RACE_S * (FINALISTS + 1) + LAST_RACE_S


@given(st.floats(150, 3600), st.floats(0, 3), st.booleans())
def test_what_comes_after_the_search_fits_in(seconds, trial_s, raced):
    shares = share_out(seconds, trial_s, raced=raced)
    end = trial_s + shares.correction_s + trial_s + (RACE if raced else 0)
    assert trial_s + shares.search_s + end <= seconds + 1e-6
    assert 0 < shares.correction_s <= MOST_CORRECTION_S


@given(st.floats(6, 600), st.floats(0, 600))
def test_a_time_too_short_for_all_still_searches(seconds, trial_s):
    assert share_out(seconds, trial_s, raced=True).search_s >= 0.6 * seconds
