"""Whether a sentence tells time's direction, by the words in it.

ArrowGEV (arXiv 2601.06559): *sensitive* has a forward direction, so that played backwards it is another event or an
impossible one; *insensitive* is a state that lasts or an action in cycles.
"""

from __future__ import annotations

import re

from timeground.data.row_checks import Direction

SENSITIVE = re.compile(
    r"\b(?:"
    r"open(?:s|ed|ing)?|clos(?:e|es|ed|ing)|enter(?:s|ed|ing)?|leav(?:e|es|ing)|left the|exit(?:s|ed|ing)?|"
    r"arriv(?:e|es|ed|ing)|appear(?:s|ed|ing)?|disappear(?:s|ed|ing)?|vanish(?:es|ed|ing)?|"
    r"(?:sit|sits|sitting|sat|lie|lies|lying|lay|kneel|kneels) down|(?:stand|stands|standing|stood|get|gets|got) up|"
    r"(?:pick|picks|picked|picking)(?: \w+){0,3} up|(?:put|puts|putting)(?: \w+){0,4} (?:down|on|in|into|away)|"
    r"pour(?:s|ed|ing)?|throw(?:s|n|ing)?|threw|drop(?:s|ped|ping)?|fall(?:s|ing)?|fell|break(?:s|ing)?|broke|"
    r"climb(?:s|ed|ing)?|(?:take|takes|taking|took) off|land(?:s|ed|ing)|grow(?:s|ing)?|grew|shrink(?:s|ing)?|shrank|"
    r"(?:get|gets|become|becomes) (?:bigger|larger|smaller|darker|brighter)|ris(?:e|es|ing)|rose|sink(?:s|ing)?|sank|"
    r"(?:move|moves|moved|moving|go|goes|went|going|slide|slides|slid|sliding|turn|turns|walk|walks|run|runs)"
    r"(?: \w+)? (?:left|right|up|down|upwards?|downwards?|together|apart|towards?|away|into|out|off|"
    r"to the (?:left|right))|"
    r"(?:come|comes|came|coming) (?:together|in|out|into)|meet(?:s|ing)?|separat(?:e|es|ed|ing)|"
    r"turn(?:s|ed|ing)? (?:on|off)|(?:start|starts|begin|begins|stop|stops) to|"
    r"before|after|the (?:first|last) time|then|until"
    r")\b",
    re.IGNORECASE,
)
INSENSITIVE = re.compile(
    r"\b(?:is|are|was|were) (?:visible|seen|shown|sitting|standing(?! up)|lying(?! down)|sleeping|there|in the picture|"
    r"on the screen)\b|\bcan be seen\b|"
    r"\b(?:blinks?|blinking|flash(?:es|ing)?|flickers?|spins?|rotates?|danc(?:es?|ing)|"
    r"wav(?:es?|ing)|clap(?:s|ping)?|swings?|jog(?:s|ging)|holds?|holding|wears?|wearing|smil(?:es?|ing)|looks? at)\b",
    re.IGNORECASE,
)


def direction_of(query: str) -> Direction:
    """Return what the words tell where only one side has words in the sentence, else ``unknown``."""
    sensitive, insensitive = SENSITIVE.search(query), INSENSITIVE.search(query)
    if bool(sensitive) == bool(insensitive):
        return "unknown"
    return "sensitive" if sensitive else "insensitive"
