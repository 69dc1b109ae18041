"""Snippets and runbooks: from the files under ``scripts/`` to values, and parameters to arguments."""

from __future__ import annotations

from fleet.catalog.folder import scripts_folder
from fleet.catalog.library import Catalog, load
from fleet.catalog.params import bind, bind_text

__all__ = ["Catalog", "bind", "bind_text", "load", "scripts_folder"]
