"""Where fleet's own scripts are."""

from __future__ import annotations

from pathlib import Path

import fleet
from fleet.errors import CatalogError


def scripts_folder() -> Path:
    """Give the folder that holds ``sh/``, ``ps/`` and ``runbooks/``, in the source tree or in the wheel."""
    package = Path(fleet.__file__).resolve().parent
    for folder in (package / "_scripts", package.parent / "scripts"):
        if folder.is_dir():
            return folder
    raise CatalogError(f"fleet's own scripts are missing beside {package}; install it anew")
