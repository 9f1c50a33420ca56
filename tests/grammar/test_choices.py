"""Option letters: a declaration beats a mention, a rejected letter is never the answer, a hedge is none."""

import json
import os
from pathlib import Path

import pytest

from timeground.grammar.answers import parse_option

OPTIONS = ["A. a woman closes the door", "B. dunking a basketball", "C. A man opens the door", "D. The clothes."]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is B. Option C is incorrect because the car does not turn.", "B"),
        ("B\n\nOption C is wrong", "B"),
        ("The correct answer is (B). Options (A), (C) and (D) are wrong.", "B"),
        ("D\n\nThe clothes are on the chair.", "D"),
        ("B or C", None),
        ("The answer is either A or B.", None),
        ("(A) or (B)", None),
        ("Answer: A, C", None),
        ("A and B are both correct", None),
        ("A. a woman closes the door\nB. dunking a basketball\nC. A man opens the door\nD. The clothes.", None),
        ("A. a woman closes the door B. dunking a basketball C. A man opens the door D. The clothes.", None),
        (
            "A. a woman closes the door\nB. dunking a basketball\nC. A man opens the door\nD. The clothes.\nAnswer: C",
            "C",
        ),
        ("B, not C", "B"),
        ("It's B rather than C", "B"),
        ("Not A. B.", "B"),
        ("I would rule out A and C, so B", "B"),
        ("The answer is not A, it is C", "C"),
        ("The answer is not B.", None),
        ("B and C are wrong, so the answer is A", "A"),
        ("A or B? The answer is B.", "B"),
        ("Between A and B, I choose B.", "B"),
        ("Both A and C", None),
        ("A/B", None),
        ("A & B", None),
        ("Answer: B (or C)", None),
        ("B or maybe C", None),
        ("Probably B, possibly C", None),
        ("A\nB\nC\nD", None),
        ("A\n\nWait, the answer is B", "B"),
        ("答案是B", "B"),
        ("选B", "B"),
        ("答案：B", "B"),
        ("选项B", "B"),
        ("应该选择B", "B"),
        ("不选A，选B", "B"),
        ("A是错误的，答案是C", "C"),
        ("A或B", None),
        ("答案为(C)。", "C"),
        ("正确答案是：D", "D"),
        ("B是正确的", "B"),
        ("我认为答案是 B。", "B"),
        ("C is incorrect. D is correct.", "D"),
        ("Option A is wrong, option C is wrong, so it's B.", "B"),
        ("Option C (A man opens the door) is incorrect. The answer is B", "B"),
        ("B. Option C is a man.", "B"),
        ("The answer is B because he isn't C", "B"),
        ("B is the correct answer", "B"),
        ("B is correct because the man does not fall", "B"),
        ("(B) He does not fall", "B"),
        ("I choose B over C", "B"),
        ("Neither A nor B, but C", "C"),
        ("Not B", None),
        ("A, B, C, D", None),
        ("A, B and C", None),
        ("None of the options", None),
        ("B, C", None),
        ("It could be A or C, but B fits best.", "B"),
        ("Options A and C are wrong; B is right", "B"),
        ("He is not dunking a basketball", None),
        ("dunking a basketball, not The clothes", "B"),
        ("a woman closes the door or dunking a basketball", None),
        ("The answer to the question is B.", "B"),
        ("b", "B"),
        ("b. dunking", "B"),
        ("(b)", "B"),
        ("The answer is b", "B"),
        ("The answer is b or c", None),
        ("A is correct", "A"),
        ("A is wrong, B", "B"),
        ("The answer is A and B", None),
        ("The answer is A. No, the answer is B.", "B"),
        ("Answer: B\nExplanation: A shows a woman", "B"),
        ("B: dunking a basketball. C: A man opens the door", None),
        ("The best option is B, since A and C do not match", "B"),
        ("B)", "B"),
        ("I can't choose between A and B", None),
        ("The options are A, B, C and D. The answer is D", "D"),
        ("\\boxed{B}", "B"),
        ("Answer: \\boxed{\\text{B}}", "B"),
        ("Sorry, I cannot see any video.", None),
        ("All of A, B, C", None),
        ("The correct answer is B, and the incorrect ones are A, C and D", "B"),
        ("The answer isn't C but B.", "B"),
        ("A man opens the door", "C"),
        ("A dog", None),
        ("The correct options are A and C", None),
        ("Answer: A or B or C or D", None),
        ("【B】", "B"),
        ("<|begin_of_box|>B<|end_of_box|>", "B"),
        ("The man is dunking, so the answer must be B", "B"),
        ("◁think▷A◁/think▷B", "B"),
        ("Answer is C; not A", "C"),
        ("D. The clothes. Not C.", "D"),
        ("Options: A, B, C, D\nAnswer: B", "B"),
        ("The answer is B/C", None),
        ("B > C", None),
        ("It is between A and B", None),
        ("A: no\nB: yes", "B"),
        ("Option B or option C", None),
        ("either (A) or (D)", None),
        ("The answer is option B because C and D don't fit.", "B"),
        ("I'd go with (C).", "C"),
        ("My answer: B) dunking", "B"),
        ("B is the best choice.", "B"),
        ("Correct Answer: C\n\nA is wrong because it closes, B is wrong because no ball.", "C"),
        ("The correct choice would be D, not A", "D"),
        ("(C) is correct. (A) is not.", "C"),
        ("Answer: **B**. Options A, C, and D are incorrect.", "B"),
        ("Option A: wrong. Option B: right. Option C: wrong.", "B"),
        ("A: incorrect\nB: correct\nC: incorrect\nD: incorrect", "B"),
        ("Final Answer: The final answer is $\\boxed{C}$. I hope it is correct.", "C"),
        ("ANSWER: B", "B"),
        ("b) dunking", "B"),
        ("Answer - C", "C"),
        ("Choice C", "C"),
        ("The man is dunking, which corresponds to option B.", "B"),
        ("This matches option C.", "C"),
        ("So B.", "B"),
        ("Hence (D)", "D"),
        ("The answer could be A or B, but B is more likely", "B"),
        ("None of the above", None),
        ("A and C are incorrect. B and D are incorrect.", None),
        ("故选C", "C"),
        ("B选项", "B"),
        ("A还是B", None),
        ("选项是B", "B"),
        ("应选B。", "B"),
        ("The answer is not A or B, so it must be C.", "C"),
        ("It's not B. It's C.", "C"),
        ("The correct answer is: A", "A"),
        ("The best answer is D. The clothes.", "D"),
        ("Answer:B", "B"),
        ("Answer：(B)", "B"),
        ("option (B) or option (C)", None),
        ("The answer is B and not C.", "B"),
        ("Both B and C could be correct, but I would choose C.", "C"),
        ("A, B, C and D are all possible", None),
        ("A? No. B? Yes.", None),
        ("I would eliminate A, B and D. The answer is C.", "C"),
        ("C, because the others are wrong", "C"),
        ("Ans: C", "C"),
        ("[B]", "B"),
        ("'B'", "B"),
        ("Based on the video, B.", "B"),
        ("Selected option: D", "D"),
        ("The correct answer is B, A man...", "B"),
    ],
)
def test_options_of_sentences(text: str, letter: str | None) -> None:
    assert parse_option(text, OPTIONS).letter == letter


def test_an_option_may_itself_deny() -> None:
    options = ["A. Picking up a nut", "B. Turning back", "C. Cannot be determined", "D. He does not move"]
    assert parse_option("C. Cannot be determined.", options).letter == "C"
    assert parse_option("(C) Cannot be determined", options).letter == "C"
    assert parse_option("D. He does not move", options).letter == "D"
    assert parse_option("The best option is D. He does not move.", options).letter == "D"


def test_the_first_sentence_names_the_option_and_the_rest_explains_it() -> None:
    options = ["A. melting", "B. freezing", "C. shattering"]
    assert parse_option("The crystal is melting. It is neither freezing nor shattering.", options).letter == "A"
    assert parse_option("It is not freezing. It is melting, as the edges soften.", options).letter == "A"
    assert parse_option("The crystal is melting or freezing. It is hard to say.", options).letter is None


def test_options_that_are_not_known() -> None:
    assert parse_option("A. a dog\nB. a cat\nC. a cow").letter is None
    assert parse_option("B. a cat. Option C is wrong.").letter == "B"
    assert parse_option("The answer is e.g. unclear").letter is None


@pytest.mark.realdata
@pytest.mark.skipif("TIMEGROUND_REALDATA" not in os.environ, reason="TIMEGROUND_REALDATA is not set")
def test_options_agree_with_published_grades_of_long_answers() -> None:
    file = Path(os.environ["TIMEGROUND_REALDATA"]) / "tempcompass/reka-core_multi-choice_graded.json"
    graded = [item for dims in json.loads(file.read_text()).values() for items in dims.values() for item in items]
    agrees = 0
    for item in graded:
        letter = parse_option(item["video-llm-prediction"], item["question"].split("\n")[1:]).letter
        agrees += (letter == item["gt-answer"][0]) == bool(item["rating"])
    assert len(graded) == 1580 and agrees >= 1555  # a language model graded what no rule of TempCompass read
