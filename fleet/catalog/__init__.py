"""Snippets, runbooks, profiles, bundles: from files below ``scripts/`` to values; values to arguments."""

from __future__ import annotations

from fleet.catalog.bundle import Bundle
from fleet.catalog.folder import scripts_folder
from fleet.catalog.library import Catalog, load
from fleet.catalog.params import bind, bind_text
from fleet.catalog.profile import Profile

__all__ = ["Bundle", "Catalog", "Profile", "bind", "bind_text", "load", "scripts_folder"]
