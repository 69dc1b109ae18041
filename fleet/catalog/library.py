"""The catalogue: what is in fleet's own scripts folder and in those that the user adds.

File names are read at once; a file is read when it is asked for. Fleet's own files are held against the
schemas and against each other by the test suite (``verify``), those of a user whenever they are loaded.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from fleet.catalog import bundle, codes, files, header, profile, runbook
from fleet.catalog.bundle import Bundle
from fleet.catalog.folder import scripts_folder
from fleet.catalog.profile import Profile
from fleet.errors import CatalogError, Place, UsageError, UsageErrors
from fleet.model import NAME, Kind, Runbook, Shell, Snippet

_Value = TypeVar("_Value")


def load(directories: Sequence[Path] = ()) -> Catalog:
    """Load fleet's own scripts and those in further folders.

    They have ``sh/``, ``ps/``, ``runbooks/``, ``profiles/`` and ``bundles/``, or some of these.

    Raises CatalogError, or UsageErrors for several, for what is wrong in the further folders.
    """
    catalog = Catalog([scripts_folder(), *directories])
    if directories:
        catalog.verify(directories)
    return catalog


class _Lazy(Mapping[str, _Value]):
    """A mapping whose names are known and whose values are made when first asked for."""

    def __init__(self, names: Iterable[str], make: Callable[[str], _Value]) -> None:
        self._names = dict.fromkeys(sorted(names))
        self._make = make
        self._made: dict[str, _Value] = {}

    def __getitem__(self, name: str) -> _Value:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Catalog:
    """Snippets, runbooks, profiles and bundles by name; made by ``load``. The first folder is fleet's own."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._scripts: dict[str, dict[Shell, Path]] = {}
        self._books: dict[str, Path] = {}
        self._profiles: dict[str, Path] = {}
        self._bundles: dict[str, Path] = {}
        for folder in folders:
            _refuse_unusable(folder)
            self._add_scripts(folder)
            _add(folder / "runbooks", self._books)
            _add(folder / "profiles", self._profiles)
            _add(folder / "bundles", self._bundles)
        self.snippets: Mapping[str, Snippet] = _Lazy(self._scripts, self._read_snippet)
        self.runbooks: Mapping[str, Runbook] = _Lazy(self._books, self._read_runbook)
        self.profiles: Mapping[str, Profile] = _Lazy(self._profiles, self._read_profile)
        self.bundles: Mapping[str, Bundle] = _Lazy(self._bundles, self._read_bundle)

    def snippet(self, name: str) -> Snippet:
        """Give the snippet of that name."""
        if name not in self.snippets:
            raise CatalogError(f'no snippet is called "{name}"{files.suggestion(name, self.snippets)}')
        return self.snippets[name]

    def runbook(self, id: str) -> Runbook:
        """Give the runbook of that id."""
        if id not in self.runbooks:
            raise CatalogError(f'no runbook is called "{id}"{files.suggestion(id, self.runbooks)}')
        return self.runbooks[id]

    def profile(self, id: str) -> Profile:
        """Give the profile of that id, with the checks of those it extends."""
        if id not in self.profiles:
            raise CatalogError(f'no profile is called "{id}"{files.suggestion(id, self.profiles)}')
        return self.profiles[id]

    def bundle(self, id: str) -> Bundle:
        """Give the bundle of that id."""
        if id not in self.bundles:
            raise CatalogError(f'no bundle is called "{id}"{files.suggestion(id, self.bundles)}')
        return self.bundles[id]

    def by_code(self, code: str) -> Runbook:
        """Give the runbook that answers an error code, in any form in which users see it."""
        found = self._by_code.get(codes.key(code))
        if found is None:
            written = [each for book in self.runbooks.values() for each in book.codes]
            raise CatalogError(f'no runbook answers the code "{code}"{files.suggestion(code, written)}')
        return found

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over the names and bytes of all files that reach a guest or steer a run, hex."""
        total = hashlib.sha256()
        for number, folder in enumerate(self._folders):
            for path in sorted(path for part in _PARTS for path in (folder / part).glob("[!.]*")):
                if path.is_file():
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    total.update(f"{number}/{path.parent.name}/{path.name} {digest}\n".encode())
        return total.hexdigest()

    def verify(self, folders: Sequence[Path] | None = None) -> None:
        """Hold the files of these folders (all) against their schemas and the rest of the catalogue.

        Raises CatalogError, or UsageErrors with everything that is wrong.
        """
        errors: list[UsageError] = []
        for check in self._checks(self._folders if folders is None else folders):
            try:
                check()
            except UsageErrors as error:
                errors += error.errors
            except UsageError as error:
                errors.append(error)
        # a snippet that is wrong is met again by the runbooks that use it
        errors = list({str(error): error for error in errors}.values())
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise UsageErrors(errors)
        self._index_codes()

    def _checks(self, folders: Sequence[Path]) -> Iterator[Callable[[], object]]:
        parts = {folder / part for folder in folders for part in _PARTS}
        for name, paths in self._scripts.items():
            if not parts.isdisjoint(path.parent for path in paths.values()):
                yield functools.partial(self._verify_snippet, name)
        for name, path in self._books.items():
            if path.parent in parts:
                yield functools.partial(self._verify_runbook, name)
        for name, path in self._profiles.items():
            if path.parent in parts:
                yield functools.partial(self._verify_profile, name)
        for name, path in self._bundles.items():
            if path.parent in parts:
                yield functools.partial(self._read_bundle, name, checked=False)

    def _verify_snippet(self, name: str) -> None:
        snippet = self._read_snippet(name, checked=False)
        undo = snippet.undo
        if undo is not None and (undo not in self._scripts or self.snippets[undo].kind is not Kind.REMEDY):
            path = next(iter(self._scripts[name].values()))
            raise CatalogError(
                f'undo: no remedy is called "{undo}"{files.suggestion(undo, self._scripts)}', Place(path)
            )

    def _verify_runbook(self, name: str) -> None:
        if name in self._scripts:
            raise CatalogError(f'a snippet is called "{name}" too; take another id', Place(self._books[name]))
        book = self._read_runbook(name, checked=False)
        for other in (*book.related, *(step.runbook for step in book.steps if step.runbook)):
            if other not in self._books:
                close = files.suggestion(other, self._books)
                raise CatalogError(f'no runbook is called "{other}"{close}', Place(self._books[name]))
        for id in book.evidence:
            if id not in self._bundles:
                close = files.suggestion(id, self._bundles)
                raise CatalogError(f'no bundle is called "{id}"{close}', Place(self._books[name]))
            if book.os not in {None, self.bundles[id].os}:
                raise CatalogError(
                    f'the bundle "{id}" is for {self.bundles[id].os}, and this fault is not',
                    Place(self._books[name]),
                )

    def _verify_profile(self, name: str) -> None:
        profile.verify(self._read_profile(name, checked=False), self.snippet, self._books)

    def _add_scripts(self, folder: Path) -> None:
        added: dict[str, dict[Shell, Path]] = {}
        for shell in Shell:
            for path in _named(folder / shell.value, shell.suffix):
                added.setdefault(path.stem, {})[shell] = path
        for name, paths in added.items():
            path = next(iter(paths.values()))
            _refuse_clash(path, next(iter(self._scripts.get(name, {}).values()), None))
        self._scripts |= added

    def _read_snippet(self, name: str, *, checked: bool = True) -> Snippet:
        texts = {shell: files.read(path) for shell, path in self._scripts[name].items()}
        return header.parse(name, texts, checked=checked)

    def _read_runbook(self, name: str, *, checked: bool = True) -> Runbook:
        source = files.read(self._books[name])
        return runbook.parse(name, source, self.snippet, checked=checked)

    def _read_profile(self, name: str, *, checked: bool = True) -> Profile:
        return profile.resolve(
            self._own_checks(name, checked=checked), functools.partial(self._own_checks, checked=checked)
        )

    def _read_bundle(self, name: str, *, checked: bool = True) -> Bundle:
        return bundle.parse(name, files.read(self._bundles[name]), checked=checked)

    def _own_checks(self, name: str, *, checked: bool) -> Profile:
        if name not in self._profiles:
            raise CatalogError(f'no profile is called "{name}"{files.suggestion(name, self._profiles)}')
        return profile.parse(name, files.read(self._profiles[name]), checked=checked)

    @functools.cached_property
    def _by_code(self) -> dict[str, Runbook]:
        return self._index_codes()

    def _index_codes(self) -> dict[str, Runbook]:
        found: dict[str, Runbook] = {}
        for book in self.runbooks.values():
            for code in book.codes:
                other = found.setdefault(codes.key(code), book)
                if other is not book:
                    raise CatalogError(
                        f'the code "{code}" is answered by {other.id} already', Place(self._books[book.id])
                    )
        return found


_PARTS = ("sh", "ps", "runbooks", "profiles", "bundles")


def _refuse_unusable(folder: Path) -> None:
    if not folder.is_dir():
        raise CatalogError("is no folder of scripts", Place(folder))
    parts = [folder / part for part in _PARTS if (folder / part).is_dir()]
    if not parts:
        raise CatalogError("has none of the folders sh, ps, runbooks, profiles and bundles", Place(folder))
    for part in (folder, *parts):
        files.refuse_shared(part)


def _add(folder: Path, found: dict[str, Path]) -> None:
    for path in _named(folder, ".yaml"):
        _refuse_clash(path, found.get(path.stem))
        found[path.stem] = path


def _named(folder: Path, suffix: str) -> Iterator[Path]:
    """Give the snippets or runbooks of a folder; names of frames and libraries begin with ``_``."""
    for path in sorted(folder.glob(f"*{suffix}")):
        if path.name.startswith(("_", ".")):
            continue
        if not NAME.fullmatch(path.stem):
            raise CatalogError("a name here has a-z, 0-9 and single hyphens between them", Place(path))
        yield path


def _refuse_clash(path: Path, other: Path | None) -> None:
    if other is not None:
        raise CatalogError(f'"{path.stem}" is there already: {other}', Place(path))
