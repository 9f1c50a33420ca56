"""The version, and the commit that it was made from where that is known."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path

import timeground


def version_line() -> str:
    """Return the version with its commit: of the checkout that is run, or of the address it was installed from."""
    commit = _of_checkout() or _of_installation()
    return f"timeground {timeground.__version__}" + (f" ({commit})" if commit else "")


def _of_checkout() -> str:
    """Return the commit of the checkout that this file lies in, with + where files differ from it; "" elsewhere."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists() or not (root / "pyproject.toml").is_file():
        return ""
    ask = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=9", "--exclude=*"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _of_installation() -> str:
    """Return the commit that pip installed from a repository; "" where it was a package or a folder."""
    try:
        told = json.loads(metadata.distribution("timeground").read_text("direct_url.json") or "{}")
        return str(told.get("vcs_info", {}).get("commit_id", ""))[:9]
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return ""
