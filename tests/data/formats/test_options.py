"""Options and answers as benchmarks write them."""

from __future__ import annotations

import pytest

from timeground.data.formats.options import bare_options, leading_letter, letter_at, letter_of_text, split_question


@pytest.mark.parametrize(
    ("options", "bare"),
    [
        (["A. a dog", "B. a cat"], ["a dog", "a cat"]),
        (["(A) a dog", "(B) a cat"], ["a dog", "a cat"]),
        (["A.a dog", " B) a cat"], ["a dog", "a cat"]),
        (["a dog", "a cat"], ["a dog", "a cat"]),
        (["A. a dog", "a cat"], ["A. a dog", "a cat"]),
        (["B. a dog", "A. a cat"], ["B. a dog", "A. a cat"]),
        ([], []),
    ],
)
def test_letters_are_taken_off_if_every_option_has_its_own(options, bare):
    assert bare_options(options) == bare


def test_options_inside_a_question():
    assert split_question("Who?\nWhere?\n(A) x\n(B) y") == ("Who?\nWhere?", ["x", "y"])
    assert split_question("Who? ") == ("Who?", [])


def test_letters_of_answers():
    assert leading_letter("B", ["x", "y"]) == leading_letter("(B)", ["x", "y"]) == leading_letter("B. y", ["x", "y"])
    assert letter_of_text("B", ["B", "A"]) == "A" and letter_at(1, ["x", "y"]) == "B"
    for wrong in (lambda: leading_letter("C", ["x", "y"]), lambda: leading_letter("Both", ["x", "y"]),
                  lambda: letter_at(-1, ["x"])):  # fmt: skip
        with pytest.raises(ValueError):
            wrong()


def test_of_equal_options_the_one_that_the_benchmark_takes():
    assert letter_of_text("x", ["x", "y", "x"]) == "A" and letter_of_text("x", ["x", "y", "x"], last=True) == "C"
    assert letter_of_text("z", ["x", "y"]) is letter_of_text("z", ["x"], last=True) is None
