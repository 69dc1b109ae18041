"""The catalogue as a whole: fleet's own files are right, those of users are checked when loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fleet
from fleet import catalog
from fleet.catalog.library import Catalog
from fleet.errors import CatalogError
from fleet.model import NAME, Shell
from tests.catalog.support import CHECK, Folder, complaint


class TestOwnFiles:
    def test_everything_is_as_the_schemas_and_the_rest_of_the_catalogue_want_it(self) -> None:
        catalog.load().verify()

    def test_every_script_has_its_shape(self) -> None:
        for snippet in catalog.load().snippets.values():
            if Shell.SH in snippet.texts:
                assert snippet.texts[Shell.SH].text.startswith("#!/bin/sh\n# /// fleet\n"), snippet.name
            if Shell.POWERSHELL in snippet.texts:
                assert "\n[CmdletBinding(" in snippet.texts[Shell.POWERSHELL].text, snippet.name

    def test_nothing_lies_about(self) -> None:
        folder = catalog.scripts_folder()
        for part, suffixes in (
            ("sh", {".sh", ".j2"}),
            ("ps", {".ps1", ".j2"}),
            ("runbooks", {".yaml"}),
            ("profiles", {".yaml"}),
            ("bundles", {".yaml"}),
        ):
            strays = [path.name for path in (folder / part).iterdir() if path.suffix not in suffixes]
            assert strays == []

    def test_loading_needs_no_pydantic(self) -> None:
        """Its import would take most of the time a quick command has."""
        program = (
            "import sys; from fleet import catalog; c = catalog.load(); "
            "[*c.snippets.values()], [*c.runbooks.values()], [*c.bundles.values()], c.digest; "
            "sys.exit('pydantic' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


class TestFolder:
    def test_own_scripts_are_found_in_the_source_tree(self) -> None:
        assert catalog.scripts_folder() == Path(fleet.__file__).resolve().parents[1] / "scripts"

    def test_and_in_the_wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "fleet" / "_scripts").mkdir(parents=True)
        (tmp_path / "scripts").mkdir()
        monkeypatch.setattr(fleet, "__file__", str(tmp_path / "fleet" / "__init__.py"))
        assert catalog.scripts_folder() == (tmp_path / "fleet" / "_scripts").resolve()

    def test_an_installation_without_them_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "fleet").mkdir()
        monkeypatch.setattr(fleet, "__file__", str(tmp_path / "fleet" / "__init__.py"))
        assert "install it anew" in complaint(catalog.scripts_folder)


class TestUsersFolder:
    def test_it_stands_beside_the_own_scripts(self, folder: Folder) -> None:
        own, both = catalog.load(), catalog.load([folder.path])
        assert set(both.snippets) == {*own.snippets, "x-there", "put-x"}
        assert set(both.runbooks) == {*own.runbooks, "x-missing"}

    def test_names_are_known_before_a_file_is_read(self, folder: Folder) -> None:
        loaded = Catalog([folder.path])
        shutil.rmtree(folder.path / "sh")
        assert list(loaded.snippets) == ["put-x", "x-there"]
        assert "put-x" in loaded.snippets
        assert len(loaded.snippets) == 2
        with pytest.raises(CatalogError, match=r"put-x\.sh: can't be read: No such file"):
            loaded.snippet("put-x")

    def test_unknown_names_get_a_suggestion(self, folder: Folder) -> None:
        loaded = catalog.load([folder.path])
        assert (
            complaint(lambda: loaded.snippet("put-y"))
            == 'no snippet is called "put-y"; did you mean "put-x"?'
        )
        assert complaint(lambda: loaded.runbook("x-mising")).endswith('did you mean "x-missing"?')
        with pytest.raises(KeyError):
            loaded.snippets["put-y"]

    def test_a_name_is_taken_once(self, folder: Folder, tmp_path: Path) -> None:
        other = Folder(tmp_path / "other")
        said = complaint(lambda: catalog.load([folder.path, other.path]))
        assert f'"put-x" is there already: {folder.path / "sh" / "put-x.sh"}' in said

    def test_a_twin_in_another_folder_is_a_clash(self, folder: Folder, tmp_path: Path) -> None:
        (tmp_path / "other" / "ps").mkdir(parents=True)
        (tmp_path / "other" / "ps" / "x-there.ps1").write_text(CHECK.removeprefix("#!/bin/sh\n"))
        assert '"x-there" is there already' in complaint(
            lambda: catalog.load([folder.path, tmp_path / "other"])
        )

    def test_a_runbook_has_no_name_of_a_snippet(self, folder: Folder) -> None:
        folder.write("runbooks/put-x.yaml", "id: put-x\ntitle: X\nabout: x\noutside: [Ask.]\n")
        assert 'a snippet is called "put-x" too; take another id' in complaint(
            lambda: catalog.load([folder.path])
        )

    def test_an_undo_leads_to_a_remedy(self, folder: Folder) -> None:
        folder.edit("sh/put-x.sh", '# undo_note = "x does no harm"', '# undo = "put-y"')
        assert 'undo: no remedy is called "put-y"; did you mean "put-x"?' in complaint(
            lambda: catalog.load([folder.path])
        )

    @pytest.mark.parametrize("name", ["Put-x.sh", "put_x.sh", "-x.sh", "x--y.sh", "x .sh"])
    def test_names_are_plain(self, folder: Folder, name: str) -> None:
        path = folder.write(f"sh/{name}", CHECK)
        assert not NAME.fullmatch(path.stem)
        assert complaint(lambda: catalog.load([folder.path])).startswith(f"{path}: a name here has a-z, 0-9")

    def test_libraries_and_hidden_files_are_no_snippets(self, folder: Folder) -> None:
        folder.write("sh/_own.sh", "x() { :; }\n")
        folder.write("sh/.hidden.sh", "")
        assert {"_own", ".hidden"}.isdisjoint(catalog.load([folder.path]).snippets)

    def test_a_folder_that_is_none_is_refused(self, tmp_path: Path) -> None:
        assert (
            complaint(lambda: catalog.load([tmp_path / "no"]))
            == f"{tmp_path / 'no'}: is no folder of scripts"
        )
        assert "has none of the folders sh, ps, runbooks, profiles and bundles" in complaint(
            lambda: catalog.load([tmp_path])
        )

    @pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
    @pytest.mark.parametrize("name", ["", "sh", "sh/put-x.sh", "runbooks/x-missing.yaml"])
    def test_what_everybody_may_write_is_refused(self, folder: Folder, name: str) -> None:
        path = folder.path / name
        path.chmod(path.stat().st_mode | 0o002)
        assert f"{path}: everybody may write here" in complaint(lambda: catalog.load([folder.path]))


class TestDigest:
    def digest(self, folder: Folder) -> str:
        return Catalog([folder.path]).digest

    @pytest.mark.parametrize("name", ["sh/put-x.sh", "runbooks/x-missing.yaml", "sh/_library.sh"])
    def test_one_byte_more_changes_it(self, folder: Folder, name: str) -> None:
        folder.write("sh/_library.sh", ":\n")
        before = self.digest(folder)
        with (folder.path / name).open("a") as file:
            file.write("\n")
        assert self.digest(folder) != before

    def test_a_name_changes_it(self, folder: Folder) -> None:
        before = self.digest(folder)
        (folder.path / "sh" / "put-x.sh").rename(folder.path / "sh" / "put-z.sh")
        assert self.digest(folder) != before

    def test_the_place_does_not(self, folder: Folder, tmp_path: Path) -> None:
        before = self.digest(folder)
        moved = folder.path.rename(tmp_path / "moved")
        assert Catalog([moved]).digest == before
