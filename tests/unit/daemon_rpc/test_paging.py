"""Pages neither skip nor repeat, and tokens fit only their own list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Reason, Refused
from daemon.rpc.paging import paginate


@given(st.sets(st.text(min_size=1, max_size=6)), st.integers(1, 7))
def test_pages_cover_the_list_exactly(items: set[str], size: int) -> None:
    seen: list[str] = []
    token = ""
    while True:
        page, token = paginate(list(items), lambda item: item, "list", size, token)
        assert len(page) <= size
        seen += page
        if not token:
            break
    assert seen == sorted(items)


def test_a_token_of_another_list_is_refused() -> None:
    _, token = paginate(["a", "b"], lambda item: item, "one", 1, "")
    with pytest.raises(Refused) as caught:
        paginate(["a", "b"], lambda item: item, "two", 1, token)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


@pytest.mark.parametrize("token", ["x", "!!!!", "AAAA", "é", "A" * 300, "////"])
def test_garbage_tokens_are_refused(token: str) -> None:
    with pytest.raises(Refused) as caught:
        paginate(["a", "b"], lambda item: item, "one", 1, token)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID
