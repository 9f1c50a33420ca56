"""What a server of the demo is told: its model, where it listens, and the limits that keep it usable by several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from timeground.errors import UserError
from timeground.methods import check_method

MAX_QUERIES = 20
MAX_TEXT = 500
MAX_TOTAL = 4000
"""Characters of all that one request asks."""
MAX_BODY_BYTES = 256 * 1024
MAX_NESTING = 16


@dataclass(frozen=True)
class DemoSettings:
    """The settings of one server."""

    model: str = "tiny"
    """As `Grounder.from_pretrained` takes it."""
    method: str = "direct"
    """As `Grounder.from_pretrained` takes it."""
    profile: str | None = None
    """As `Grounder.from_pretrained` takes it."""
    fps: float | None = None
    """As `Grounder.from_pretrained` takes it."""
    device: str | None = None
    """As `Grounder.from_pretrained` takes it."""
    trust_remote_code: bool = False
    """As `Grounder.from_pretrained` takes it."""
    library: str | None = None
    """A folder of videos that visitors may search and watch; None: there is none."""
    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    auth: tuple[str, str] | None = None
    """A user and a password, or None for an open page."""
    max_upload_mb: int = 500
    """The largest video."""
    max_minutes: float = 20.0
    """The longest video."""
    max_waiting: int = 32
    """Requests that may wait in the queue."""
    keep_gb: float = 4.0
    """Memory for encoded videos, the last used ones."""
    keep_hours: float = 12.0
    """Age at which uploads and clips are removed."""

    def __post_init__(self) -> None:
        """Refuse an unknown method, and numbers that no server can run with."""
        check_method(self.method)
        if self.library is not None and not Path(self.library).is_dir():
            raise UserError(f"--library {self.library}: no such folder; give a folder of videos")
        if not 0 <= self.port <= 65535:
            raise UserError(f"--port {self.port}: a port is a number from 1 to 65535 (0: any free one)")
        for name in ("max_upload_mb", "max_minutes", "max_waiting", "keep_gb", "keep_hours"):
            if getattr(self, name) <= 0:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: must be more than 0")

    @property
    def limits(self) -> str:
        """Return the limits on a video, for people."""
        return (
            f"Up to {self.max_upload_mb} MB and {self.max_minutes:g} minutes. "
            f"It is removed after {self.keep_hours:g} {'hour' if self.keep_hours == 1 else 'hours'}."
        )

    @property
    def shown_model(self) -> str:
        """Return the model's name without folders or the address of its server."""
        name = self.model.partition("#")[2] if "://" in self.model else self.model
        return Path(name).name if Path(name).exists() else name or self.model


def parse_auth(text: str | None) -> tuple[str, str] | None:
    """Return ``user:password`` as a pair; None if nothing was given."""
    if not text:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise UserError("--auth: write a user and a password with a colon between them, like anna:secret")
    return user, password
