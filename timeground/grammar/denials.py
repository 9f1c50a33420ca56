"""What a reply says of the event as a whole: that it does not happen, or that the model refuses to look.

A part of the answer grammar (``docs/answers.md``). A denial is about the event, not any "not" in the sentence:
"the man does not find his keys" is something to look for, "the event is not found" is an answer. Words in quotes,
and words that repeat the query, say what is looked for and never deny it.
"""

from __future__ import annotations

import re

from timeground.grammar.reply import word_set

_NOT = r"(?:not|never|cannot|n't)"
_ADVERBS = (
    r"(?:[ ](?:actually|really|clearly|ever|even|explicitly|seem[ ]to|appear[ ]to|to|be|been|being|directly|currently))"
)
_THINGS = (
    r"(?:event|moment|segment|span|scene|action|activity|clip|interval|instance|occurrence|match|evidence|part|"
    r"point|time|footage|such[ ]thing|sign|indication)s?"
)
_VIDEO = r"(?:video|clip|footage|recording|film|movie|frame|image|content|file)s?"
_HAPPENS = r"(?:happen|occur|take[ ]place|exist|appear|show[ ]up)"
_SEEN = (
    r"(?:seen|shown|found|visible|present|depicted|detected|located|observed|featured|included|applicable|available)"
)
_LIMITS = (
    r"until|till|before|after|again|twice|once|only|yet|at first|initially|any ?more|any longer|elsewhere|else|"
    r"otherwise|outside|afterwards?|thereafter|the rest|other|another|further|beyond|earlier|later|previously"
)
_DENIAL = re.compile(
    rf"""
    (?: \bno[ ](?:(?:such|matching|relevant|corresponding|clear|described|specific)[ ])?{_THINGS}\b
      | \bno[ ](?:such|matching|relevant|corresponding)[ ]
      | \bnothing[ ](?:happens|like|matches|matching|relevant|of[ ]the[ ]sort|corresponds)
      | {_NOT}{_ADVERBS}{{0,2}}[ ]{_HAPPENS}\b
      | \bnever[ ](?:happens|occurs|takes[ ]place|exists|appears|shows[ ]up)
      | {_NOT}{_ADVERBS}{{0,2}}[ ](?:\w{{1,15}}ly[ ])?{_SEEN}\b
      | \bno[ ]\w{{1,15}}[ ](?:\w{{1,15}}[ ]){{0,2}}
        (?:(?:is|are|was|were|can[ ]be)[ ]{_SEEN}|appears?|happens?|occurs?)\b
      | {_NOT}[ ](?:(?:actually|really)[ ])?(?:in|part[ ]of|within|anywhere[ ]in)[ ](?:the|this)[ ]
        (?:\w{{1,12}}[ ])?{_VIDEO}\b
      | \b(?:i|we)[ ](?:(?:do|did|could|can|am|are|was|were)[ ]?)?(?:not|n't|cannot|can't|unable[ ]to)[ ]
        (?:able[ ]to[ ])?
        (?:see|find|detect|locate|identify|spot|observe|match)\b
      | (?:^|[.!?;:,\n][ ]?)(?:could[ ]not|couldn't|can't|cannot|unable[ ]to|did[ ]not|didn't)[ ]
        (?:find|detect|locate|identify|see|spot|match)\b
      | \b{_VIDEO}[ ](?:\w{{1,10}}[ ])?(?:does|do|did|doesn't|don't|didn't)(?:[ ]not)?[ ](?:actually[ ]|explicitly[ ])?
        (?:contain|include|show|depict|feature|have|match)\b
      | \b{_VIDEO}[ ](?:contains|shows|has|includes|features|depicts)[ ]no\b
      | {_NOT}[ ](?:match|correspond[ ]to)[ ](?:any|the)\b
    )(?P<rest>[^.!?;\n]{{0,60}})
    """,
    re.VERBOSE,
)
_LIMITED = re.compile(rf"^(?:\W?\w{{1,20}}\W){{0,6}}?\W?(?:{_LIMITS})\b")
_AT_ALL = re.compile(r"\b(?:not even once|at all|anywhere(?! else))\b")
_HAPPENS_AT = re.compile(
    r"(?P<before>(?:\b\w{1,20} ){0,4})(?:happens|occurs|takes place|happened|occurred|took place|"
    r"(?:is|was|can be) (?:seen|found|visible|shown|located)) "
    r"(?:(?:in|at|from|between|during|around|about|only|the|time|range|interval|of) ){0,3}"
    r"[<\[(\"']{0,2}(?:second\{)?[0-9]"
)
_NEGATED = re.compile(r"\b(?:no (?:\w+ ){1,3}|(?:never|nothing|nobody|none|neither|not) )$")
_WEAK_DENIAL = re.compile(r"\bthere (?:is|was|are|were) (?:no|not|never) |\b(?:isn't|aren't|wasn't) (?:a|any)\b")
_CHINESE_DENIAL = re.compile(
    r"(?:看|找)不到|没看到|(?:没有?|未曾?|并?不)(?:有|能|会|被|在视频中|出现在)?(?:发生|出现|存在|找到|发现|看到|显示|展示|检测到|包含|相关|对应|匹配|该)|(?:无|没有)(?:此|该|这样的?)?(?:相关|对应|匹配)?(?:事件|片段|场景)"
)
_NOTHING = re.compile(r"(?:none|null|nil|n/a|never|absent|nothing|no|无|没有)(?: (?:found|event))?")
_CLAUSE_END = re.compile(r"[.!?;](?=\s|$)|,? (?:but|however|although|though|whereas)\b|, (?:and|which|while|so)\b|\n")

_LOOK = (
    r"(?:see|view|watch|access|open|load|play|process|analy[sz]e|receive|read|perceive|hear|interpret|inspect|"
    r"examine|find|get|got)"
)
_UNABLE = (
    r"(?:can[ ]?not|can't|could[ ]not|couldn't|unable[ ]to|not[ ]able[ ]to|incapable[ ]of|not[ ]possible[ ]to|"
    r"ability[ ]to|(?:did|do|have|has|does)(?:[ ]not|n't)(?:[ ]have[ ]access[ ]to)?)"
)
_GIVEN = (
    r"(?:available|provided|accessible|loaded|attached|visible|shown|found|uploaded|supported|viewed|seen|opened|"
    r"played|included|present|received|accessed|processed|given|supplied|load|open|play)"
)
_REFUSAL = re.compile(
    rf"""
    \b{_UNABLE}[ ]?(?:(?:directly|actually|currently|(?:appear|seem)[ ]to[ ](?:be|have))[ ])?
      (?:{_LOOK}(?:ing|ed)?[ ](?:or[ ]\w{{1,12}}[ ])?)?
      (?:to[ ])?(?:(?:any|the|this|that|your|a|an|in|actual|attached|provided|uploaded|of)[ ]){{0,3}}
      {_VIDEO}\b(?![ ](?:of|showing|that|where|segment|moment|part|evidence)\b)
  | \b{_UNABLE}[ ](?:see|view|watch)[ ]anything\b(?![ ](?:like|that|match|similar|of|happen))
  | \b(?:{_VIDEO})(?:[ ](?:file|link|content))?(?:[ ](?:is|was|are|were|has|have|can|could|does|did))?
      (?:[ ]?not|n't)[ ](?:(?:currently|yet|been|be)[ ]){{0,2}}{_GIVEN}\b
  | \b(?:video|clip|file)[ ](?:is|was|seems|appears)[ ](?:unavailable|inaccessible|corrupted|missing|broken|empty|blank)
  | \bno[ ](?:video|image|file|footage|frame)s?(?:[ ](?:file|content|input))?
      (?:[ ](?:was|is|were|are|has[ ]been))?[ ]{_GIVEN}\b
  | \bthere[ ](?:is|was|are)[ ]no[ ](?:video|image|file)s?(?:[ ](?:here|attached))?[ ]?(?:[.!,;]|$)
  | \bplease[ ](?:provide|upload|share|attach|send|give)\b
  | (?:无法|不能|没法)(?:直接)?(?:观看|查看|访问|看到|打开|播放|处理|分析|回答)
  | (?:未能?|没有|没)(?:提供|上传|收到|看到)(?:任何|该)?(?:视频|图像|图片)
  | 看不[到见](?:任何|该|这个)?(?:视频|图像|图片)|请(?:提供|上传)
    """,
    re.VERBOSE,
)
_TIME = r"[<\[(]?[0-9][0-9:.]{0,12}(?: ?(?:s|sec|secs|seconds|min|minutes|m|h|hours))?[>\])]?"
_EXTENT = (
    rf"(?:^\W{{0,5}}|[.!?;,\n]\W{{0,5}}|\band |\bthat )"
    rf"(?:(?:the|this|whole|entire|full|input|given|source|original|total) ){{0,3}}"
    rf"(?:(?:duration|length|runtime) of the )?NOUN(?: clip| itself|'s)?"
    rf"(?: (?:starts|begins|runs|lasts|goes|is|spans|covers|plays)| (?:duration|length|runtime|time range)(?: is|:)?)"
    rf"(?: (?:at|from|for|about|in total))* ?{_TIME}"
    rf"(?:(?:,? and|,)?(?: it)?(?: (?:ends|finishes|stops|runs|lasts))?(?: at| until| to| -| till|-)+ ?{_TIME})?"
)
_VIDEO_EXTENT = re.compile(_EXTENT.replace("NOUN", r"(?:video|footage|recording|film|movie)"), re.IGNORECASE)
_CLIP_EXTENT = re.compile(_EXTENT.replace("NOUN", "clip"), re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"\n]{1,400}\"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,400}'(?!\w)")
_TIME_WORDS = word_set(
    "from to and between until till at in s sec secs second seconds m min mins minute minutes h hour hours "
    "the event happens occurs"
)


def without_quotes(text: str) -> str:
    """Return the text with blanks for quoted words that say more than a time: they repeat what was looked for."""

    def blank(match: re.Match[str]) -> str:
        words = [word for word in re.findall(r"[^\W\d]\w*", match[0].lower()) if word not in _TIME_WORDS]
        return " " * len(match[0]) if len(words) > 1 else match[0]

    return _QUOTED.sub(blank, text)


def without_query(text: str, query: str | None) -> str:
    """Return the text with blanks for the words of the query, where it repeats them as they are."""
    words = re.findall(r"[^\W_]+", (query or "").lower())
    if len(words) < 2:
        return text
    echo = re.compile(r"[\W_]{1,3}".join(re.escape(word) for word in words), re.IGNORECASE)
    return echo.sub(lambda match: " " * len(match[0]), text)


def without_denials(text: str, query: str | None = None) -> tuple[str, bool]:
    """Return the text without clauses that deny the event, and whether there were any.

    A denial with a limit ("not until 5 s", "no event after that") says when, so it stays.
    """
    kept, denied, start = [], False, 0
    ends = [match.end() for match in _CLAUSE_END.finditer(text)]
    for end in [*ends, len(text)]:
        clause = text[start:end]
        if _is_denial(without_query(without_quotes(clause), query).lower()):
            denied = True
        else:
            kept.append(clause)
        start = end
    return "".join(kept), denied


def _is_denial(clause: str) -> bool:
    """Return True if a clause says of the event that it does not happen."""
    if _CHINESE_DENIAL.search(clause):
        return True
    if any(not _NEGATED.search(at["before"]) for at in _HAPPENS_AT.finditer(clause)):
        return False
    for match in _DENIAL.finditer(clause):
        rest = match["rest"]
        if _AT_ALL.search(rest) or not _LIMITED.match(rest):
            return True
    return False


def says_nothing(text: str) -> bool:
    """Return True for an empty list, null, "none", or "there is no ..." beside which no time was found."""
    lowered = text.lower()
    bare = lowered.strip(" .!\"'()<>{}[]\n")
    is_empty_list = re.search(r"\[\s?\]", lowered) is not None and not re.search(r"[0-9]", lowered)
    is_null = re.search(r"\bnull\b", lowered) is not None and not re.search(r"[0-9]", lowered)
    only_brackets = bare == "" and lowered.strip() != "" and set(lowered) & set("[]{}()") != set()
    is_word = _NOTHING.fullmatch(bare) is not None and bare != "no"
    return is_empty_list or is_null or only_brackets or is_word or _WEAK_DENIAL.search(lowered) is not None


def is_refusal(text: str) -> bool:
    """Return True if a reply says that the model did not look: "Sorry, I cannot see any video.", "I'm not sure"."""
    return _REFUSAL.search(without_quotes(text).lower()) is not None


def without_video_extent(text: str) -> str:
    """Return the text with blanks where it says from when to when the whole video runs, which is not the event.

    "The clip" may be what was found as well as what was shown: it goes only where other numbers are left.
    """
    text = _VIDEO_EXTENT.sub(lambda match: " " * len(match[0]), text)
    without_clip = _CLIP_EXTENT.sub(lambda match: " " * len(match[0]), text)
    return without_clip if re.search(r"[0-9]", without_clip) else text
