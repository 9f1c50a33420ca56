"""The words around an option letter that declare it, reject it, or join it to another (see ``choices.py``).

``DECLARES``, ``NAMES`` and ``REJECTS`` are searched for at the end of what stands before a letter, ``CONFIRMED`` and
``REJECTED`` at the beginning of what stands after it.
"""

from __future__ import annotations

import re

_LATIN = "A-Za-z0-9_À-ɏ"  # an accented letter belongs to a word, a Chinese character does not
MENTION = re.compile(
    rf"(?<![{_LATIN}'.-])(?P<open>[(\[\"'{{]?) ?(?<![{_LATIN}'.-])(?P<letter>[A-Za-z])"
    rf"(?P<close> ?[)\]\"'}}]|[.:](?!\w))?(?![{_LATIN}'-]|\.\w)"
)
"""A letter that stands alone, with the marks around it."""

WORD_AFTER = re.compile(r" (?!(?:and|or|nor|is|are|was|because|since|as|for|which|so|but|seems|looks|vs)\b)\w")
"""A word after an A that makes it an article."""

JOINS = re.compile(
    r"(?:,|,? ?\(?(?:and|or|nor|&|/|vs\.?|还是|或者|以及|[或和与及])) ?(?:(?:also|maybe|possibly|perhaps|even|both) )?"
    r"(?:(?:the )?(?:option|choice|answer)s? )?",
    re.IGNORECASE,
)
_NOUN = r"(?:answers?|options?|choices?)"
NAMES = re.compile(rf"\b{_NOUN} $|选项 ?$", re.IGNORECASE)
DECLARES = re.compile(
    rf"""
    (?: \b{_NOUN}(?:[ ](?:to|for)[ ](?:the|this|your)[ ]question)?
        (?:[ ](?:is|are|was|be|would|could|should|must|might|may|the|most|likely|correct|best|right|final|{_NOUN}|
        letter|probably|therefore|thus|clearly|that|to|either|both|definitely|accurate|appropriate|suitable)){{1,7}}
        [ ]?[:=-]?[ ]?(?:the[ ])?
      | \b{_NOUN}(?:[ ]is)?[ ]?[:=-][ ]?(?:{_NOUN}[ ])?(?:either[ ])?
      | \b(?:choose|select|pick|chose|picked|selected|choosing|go(?:ing)?[ ]with|settle[ ]on|lean(?:ing)?[ ]towards?|
        opt[ ]for|therefore|thus|hence)(?:[ ](?:the|{_NOUN}|letter|is|that|it|it's|be|would|must|either)|,)*,?[ ]
      | (?:是|为|选择?)[ ]?:?(?:选项)?[ ]?
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
REJECTS = re.compile(
    rf"""
    (?: (?:\b(?:not|nor|neither|rather[ ]than|instead[ ]of|unlike|other[ ]than|except(?:[ ]for)?|excluding|over|
          eliminat(?:e|es|ed|ing)|rul(?:e|es|ed|ing)[ ]out|reject(?:s|ed|ing)?|exclud(?:e|es|ed)|wrong|incorrect|
          discard(?:ed)?|as[ ]opposed[ ]to|never|cannot)|n't)
        (?:[ ](?:is|are|be|it|it's|{_NOUN}|the|either|both|think|with|to|choose|select|pick|say|believe|matching|match|
        correct|right)|:)*[ ]
      | (?:不是|不选|排除|而非|不可能是|不能选)(?:选项)?[ ]?
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_ASIDE = r"[ ]?(?:\([^)]{0,80}\)|\"[^\"]{0,80}\"|,[ ][^,.]{1,80},)?"
REJECTED = re.compile(
    rf"""{_ASIDE}
    (?: (?:[ ](?:is|are|was|were|seems?|looks?|appears?|both|all|also|clearly|therefore|thus|can|could|do|does|did|
        would|to|be|{_NOUN}|an|the|most|very))*
        (?:[ ](?:not(?![ ][(\[]?(?-i:[A-Z])[)\]]?(?:\W|$))|wrong|incorrect|false|inaccurate|unlikely|
        ruled[ ]out|eliminated|excluded|rejected|impossible|invalid|cannot|contradicts?|irrelevant|
        less[ ]likely|[a-z]{{2,6}}n't)|n't)\b
      | (?:都?是)?(?:错|不正确|不对|不符|不是)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
CONFIRMED = re.compile(
    rf"""{_ASIDE}
    (?: (?:[ ](?:is|are|was|seems?|looks?|appears?|both|clearly|therefore|thus|would|must|could|to|be|the|my|most|also|
        more|very|probably|likely|definitely))+
        [ ](?:correct|right|true|best|{_NOUN}|accurate|likely|appropriate|suitable)\b
      | [ ](?:fits?|match(?:es)?|describes?)(?:[ ](?:it|this|that|the[ ]\w{{1,20}}))?[ ](?:better|best|most)
      | (?:都?是)?(?:正确|对的|最佳)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
VERDICT = re.compile(
    r" ?(?:(?P<no>incorrect|wrong|false|no|not correct|not true)|(?:correct|right|true|yes))\b\s*(?:[.,;\n]|$)",
    re.IGNORECASE,
)
"""A verdict that is all that stands behind a letter and its mark: "A: incorrect"."""
