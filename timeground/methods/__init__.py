"""Ways of finding answers with a model, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timeground.errors import UserError
from timeground.named import imported

if TYPE_CHECKING:
    from timeground.methods.base import Method

METHODS = {
    "direct": "timeground.methods.direct:Direct",
    "windows": "timeground.methods.windows:Windows",
}
"""Each method that ships, by where it is."""


def check_method(name: str) -> str:
    """Return the name. Raise UserError if it is no method's; those that ship are not imported for it."""
    if name not in METHODS:
        load_method(name)
    return name


def load_method(name: str) -> type[Method]:
    """Return the method of a name, or of an import path ``package.module:Name``. Raise UserError if there is none."""
    from timeground.methods.base import Method

    found = imported(METHODS.get(name, name), "method", METHODS)
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"method {name}: that is no Method; derive it from timeground.methods.base.Method")
    return found
