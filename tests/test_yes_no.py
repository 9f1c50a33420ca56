"""Yes and no: negations turn what they stand before, hedges and refusals are no answer."""

import pytest

from timeground.answers import parse_yes_no


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The statement is not true.", False),
        ("It is not false", True),
        ("That is correct.", True),
        ("Not false.", True),
        ("Not true", False),
        ("Yes and no", None),
        ("Yes or no", None),
        ("yes/no", None),
        ("It isn't true.", False),
        ("It's not correct", False),
        ("That's right.", True),
        ("This is wrong.", False),
        ("The man turns right", None),
        ("Sorry, I cannot see any video.", None),
        ("No, I cannot see any video.", None),
        ("No doubt about it, yes.", True),
        ("Is it true? No.", False),
        ("The answer is not yes.", False),
        ("The claim is inaccurate", False),
        ("I would not say yes", False),
        ("never true", False),
        ("It is true that the man does not fall", True),
        ("There is no dog in the video", False),
        ("是的", True),
        ("不是", False),
        ("正确", True),
        ("不正确", False),
        ("Not really", False),
        ("Not at all.", False),
        ("Neither yes nor no", None),
        ("I'd say yes", True),
        ("It could be yes or no", None),
        ("The statement that the man falls is false.", False),
        ("The statement that the man falls is not true.", False),
        ("The answer is no, yes was wrong", False),
        ("Incorrect.", False),
        ("Correct! He falls", True),
        ("It is untrue.", False),
        ("There is no video.", None),
        ("没有", False),
        ("This statement isn't accurate", False),
        ("The given statement is, in fact, not true.", False),
        ("You are right", True),
        ("It can't be true", False),
        ("The event is definitely true", True),
        ("That is not right", False),
    ],
)
def test_yes_no_of_sentences(text: str, value: bool | None) -> None:
    result = parse_yes_no(text)
    assert result.value is value and (result.failure is None) == (value is not None)
