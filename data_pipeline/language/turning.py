"""Words a query for its video mirrored left to right, or played backwards; by rule, where a rule is sure."""

from __future__ import annotations

import re

from timeground.data.row_checks import Direction

from .direction import INSENSITIVE, SENSITIVE

_MOVES = (
    r"(?:come|comes|came|coming|drive|drives|driving|fly|flies|flying|go|goes|going|move|moves|moved|moving|"
    r"run|runs|running|slide|slides|slid|sliding|swim|swims|swimming|turn|turns|turned|turning|walk|walks|walked|"
    r"walking|went)"
)
_POINTS = r"(?:face|faces|facing|lean|leans|leaning|look|looks|looked|looking|point|points|pointed|pointing)"
_SIDES = re.compile(
    rf"\b((?:(?:{_MOVES}|{_POINTS})(?: \w+)??|(?:(?:to|on|at|from|in) )?(?:the|his|her|its|their|far|upper|lower)) )"
    r"(left|right)\b",
    re.IGNORECASE,
)
_OPPOSITES = """
rise/sink rises/sinks rising/sinking  grow/shrink grows/shrinks growing/shrinking grew/shrank
opens/closes opening/closing opened/closed  enter/leave enters/leaves entering/leaving entered_the/left_the
appear/disappear appears/disappears appearing/disappearing appeared/disappeared
meet/separate  come_together/move_apart comes_together/moves_apart  before/after  the_first_time/the_last_time
get_bigger/get_smaller gets_bigger/gets_smaller become_larger/become_smaller becomes_larger/becomes_smaller
get_brighter/get_darker gets_brighter/gets_darker become_brighter/become_darker becomes_brighter/becomes_darker
sit_down/stand_up sits_down/stands_up sitting_down/standing_up sat_down/stood_up
pick_up/put_down picks_up/puts_down picking_up/putting_down picked_up/put_down
turn_on/turn_off turns_on/turns_off turning_on/turning_off turned_on/turned_off
"""
_ONE_WAY = {"get larger": "get smaller", "gets larger": "gets smaller"}
_ONE_WAY |= {"become bigger": "become smaller", "becomes bigger": "becomes smaller"}
_WAYS = {"left": "right", "up": "down", "upwards": "downwards", "upward": "downward"}
_WAYS |= {"towards": "away from", "toward": "away from", "together": "apart", "into": "out of"}


def _both_ways(pairs: dict[str, str]) -> dict[str, str]:
    """Return each word's opposite; where two words share one, the first named is its opposite."""
    return {b: a for a, b in reversed(pairs.items())} | pairs


_TURNED = _both_ways(dict(pair.replace("_", " ").split("/") for pair in _OPPOSITES.split()))
_TURNED |= _ONE_WAY
_WAYS = _both_ways(_WAYS)
_PARTS = re.compile(
    rf"\b(?:(?P<words>{'|'.join(sorted(_TURNED, key=len, reverse=True))})"
    rf"|(?P<verb>{_MOVES}(?: to the| \w+)?? )(?P<way>{'|'.join(sorted(_WAYS, key=len, reverse=True))}))\b",
    re.IGNORECASE,
)


def mirrored_query(query: str) -> str:
    """Return the query for the mirrored picture: left and right change places where they are sides."""
    return _SIDES.sub(lambda found: found[1] + {"left": "right", "right": "left"}[found[2].lower()], query)


def reversed_query(query: str, direction: Direction = "unknown") -> str | None:
    """Return the query for the video played backwards; None where no rule is sure.

    Words with an opposite take it. Every part that tells time's direction must have one; a query without such parts
    stays as it is if it is known, by `direction` or by rule, that it does not tell the direction.
    """
    turned = [found.span() for found in _PARTS.finditer(query)]
    telling = [found.span() for found in SENSITIVE.finditer(query)]
    if any(not any(a < end and start < b for a, b in turned) for start, end in telling):
        return None
    if turned:
        return _PARTS.sub(_opposite, query)
    return query if direction == "insensitive" or (direction == "unknown" and INSENSITIVE.search(query)) else None


def _opposite(found: re.Match[str]) -> str:
    """Return the opposite of a part of the query."""
    if found["words"]:
        return _TURNED[found["words"].lower()]
    return found["verb"] + _WAYS[found["way"].lower()]
