"""Known signs of faults are found in logs of any encoding, in any pieces, and lead to a runbook."""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import catalog
from fleet.bundle import signatures
from fleet.bundle.signatures import Sign, Signatures

RUNBOOKS = catalog.load().runbooks
SIGNATURES = Signatures(RUNBOOKS)
LOG = "/var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log"


def signs(data: bytes | str, origin: str = LOG, piece: int = 1 << 20) -> dict[str, Sign]:
    data = data.encode() if isinstance(data, str) else data
    scanner = SIGNATURES.scanner(origin)
    for at in range(0, len(data), piece):
        scanner.feed(data[at : at + piece])
    return {sign.runbook: sign for sign in scanner.signs()}


@pytest.mark.parametrize(
    ("line", "runbook"),
    [
        ("status: ExtensionFailedVssWriterInBadState, retry", "azvm-vss-writer-bad-state"),
        ("code=UserErrorFsFreezeFailed", "azvm-fsfreeze-failed"),
        ("hr = 0x80042314, VSS_E_HOLD_WRITES_TIMEOUT", "azvm-vss-timeout-iops"),
        ("HResult: -2147212524", "azvm-vss-timeout-iops"),
        ("Failed to FITHAW: /mnt/x", "azvm-fsfreeze-failed"),
        (
            "Faulting application name: IaaSBcdrExtension.exe, version 1",
            "azvm-vmrestorepoint-internal-error-antivirus",
        ),
        ('{"provider": "VSS", "id": 12298}', "azvm-vss-timeout-iops"),
        ('{"Id":8193,"ProviderName":"VSS"}', "azvm-vss-service-bad-state"),
        ('{"provider": "VSS", "id": 8194}', "azvm-vss-service-bad-state"),
        ('{"provider": "Microsoft-Windows-COMRuntime", "id": 4691}', "azvm-com-plus-msdtc-error"),
        ('{"source": "volsnap", "eventid": "9"}', "azvm-vss-timeout-iops"),
        ('{"provider": "Microsoft-Windows-Backup", "id": 517}', "azvm-event-log-other-backup-product"),
    ],
)
def test_a_sign_leads_to_its_runbook(line: str, runbook: str) -> None:
    found = signs(f"before\n{line}\nafter\n{line}\n")
    assert list(found) == [runbook]
    assert found[runbook].times == 2
    assert found[runbook].first == line


@pytest.mark.parametrize(
    "line",
    [
        "1000 files", "event 8193 of another", '{"provider": "Other", "id": 12298}',
        "IaaSBcdrExtension.exe started",
        "NotExtensionFailedVssWriterInBadStateAtAll", "id 245 517 380008", "0x80042315",
        '{"provider": "VSS", "id": 7}',
    ],
)  # fmt: skip
def test_what_only_looks_like_one_does_not(line: str) -> None:
    assert signs(line) == {}


def test_every_runbook_that_is_named_is_there() -> None:
    named = {runbook for _, _, runbook in signatures._LINES} | {
        each[1] for each in signatures._EVENTS.values()
    }
    assert named <= set(RUNBOOKS)


def test_every_code_that_can_only_be_a_code_is_looked_for() -> None:
    words = [
        code
        for book in RUNBOOKS.values()
        for code in book.codes
        if code.startswith(("Extension", "UserError"))
    ]
    assert len(words) > 15
    for code in words:
        assert signs(f"got {code}.")


class TestTheFreezer:
    HANGS = "2026-11-20 23:04:01 proceeded for accepting signals\n"

    def test_that_says_nothing_after_its_last_words_hangs(self) -> None:
        found = signs("begun\n" + self.HANGS + "\n")
        assert found["azvm-fsfreeze-failed"].first == self.HANGS.strip()

    def test_that_went_on_did_not(self) -> None:
        assert signs(self.HANGS + "thawed\n") == {}

    BEGINS = "2026-11-20 23:04:00 [x]T:S freeze, timeout value 60\n"
    ENDS = "2026-11-20 23:04:09 [x]================== Logs during Freeze Start ==============\n"

    def test_that_never_ended_before_the_next_began_hung(self) -> None:
        restarted = self.BEGINS + self.HANGS + "starting enable\n" + self.BEGINS + self.HANGS + self.ENDS
        assert "never ended" in signs(restarted)["azvm-fsfreeze-failed"].what

    def test_that_ended_each_time_did_not(self) -> None:
        assert signs((self.BEGINS + self.HANGS + self.ENDS) * 3) == {}

    def test_that_hangs_again_is_told_once(self) -> None:
        assert signs(self.HANGS + "thawed\n" + self.HANGS)["azvm-fsfreeze-failed"].times == 1


def test_common_codes_of_windows_count_only_in_logs_of_their_agent() -> None:
    line = "failed with 0x80070005"
    assert signs(line, r"C:\WindowsAzure\Logs\WaAppAgent.log") == {}
    mars = r"C:\Program Files\Microsoft Azure Recovery Services Agent\Temp\CBEngineCurr.errlog"
    assert list(signs(line, mars)) == ["mars-warning-0x80070005-access-denied"]


MARS = r"C:\Program Files\Microsoft Azure Recovery Services Agent\Temp\CBEngineCurr.errlog"


@pytest.mark.parametrize("origin", [MARS, "CloudBackup/Operational"])
@pytest.mark.parametrize(
    ("line", "runbook"),
    [
        ("Failed: Hr: = [0x000086ca] x", "mars-passphrase-misconfigured-34506"),
        ("Credenziali non valide (ID: 34513)", "mars-invalid-vault-credentials-34513"),
        ("errorCode 0x186d2", "mars-connect-failed-100050"),
        ("the server returned an error: (407) Proxy", "mars-connect-failed-100050"),
        (
            '{"provider":"CloudBackup","id":11,"properties":["230006"]}',
            "mars-resource-not-provisioned-230006",
        ),
        ('{"provider":"CloudBackup","id":14}', "mars-agent-version-current"),
        ("ERROR_CLOUD_FILE_ACCESS_DENIED", "mars-warning-0x8007018b-cloud-file"),
        ("Hr: -2147023504", "mars-warning-0x80070570-corrupt-file"),
    ],
)
def test_in_logs_of_the_mars_agent_plain_numbers_count_too(line: str, runbook: str, origin: str) -> None:
    assert list(signs(line, origin)) == [runbook]


@pytest.mark.parametrize(
    "line", ["34513", "b.cpp(34513)", "ID: 345134", "(403)", "407", "0x00000407", "[0x34513]"]
)
def test_a_number_alone_is_no_code(line: str) -> None:
    assert signs(line, MARS) == {}


def test_the_check_in_the_guest_knows_the_same_codes_and_events() -> None:
    """The snippet mars-log has them in a table of its own, because a guest has no runbooks."""
    text = (catalog.scripts_folder() / "ps" / "mars-log.ps1").read_text("ascii")
    table = re.findall(r"(?m)^    '(mars-[\w-]+)' = (.+)$", text)
    there = {runbook: {code for code in re.findall(r"'([^']*)'", codes) if code} for runbook, codes in table}
    wanted = {
        book.id: set(book.codes) for book in RUNBOOKS.values() if book.id.startswith("mars-") and book.codes
    }
    assert there == wanted
    assert set(SIGNATURES.mars.values()) == {(code, id) for id, codes in wanted.items() for code in codes}
    (event,) = re.findall(r"(?m)^\$numbers = @\{ (\d+) = '(.+)' \}$", text)
    ours = {
        (str(number), book) for (who, number), (_, book) in signatures._EVENTS.items() if who == "cloudbackup"
    }
    assert ours == {event}


TEXT = "grün\nExtensionFailedVssWriterInBadState \u0a00\u0a0a\r\nx\nFailed to FIFREEZE\n"


@given(
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    cuts=st.integers(2, 60),
)
def test_any_encoding_in_any_pieces_gives_the_same(encoding: str, cuts: int) -> None:
    text = TEXT + "plain text that makes plain which bytes are zero\n" * 4
    assert list(signs(text.encode(encoding), piece=max(cuts, 200 if encoding.endswith("e") else 3))) == [
        "azvm-vss-writer-bad-state",
        "azvm-fsfreeze-failed",
    ]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_break_it(data: bytes, piece: int) -> None:
    assert isinstance(signs(data, piece=piece), dict)


def test_a_guest_can_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "MOST", 3)
    tracemalloc.start()
    try:
        scanner = SIGNATURES.scanner(LOG)
        for _ in range(100):
            scanner.feed(b"x" * 200_000)
        scanner.feed(b"\n")
        for code in [code for book in RUNBOOKS.values() for code in book.codes] * 3:
            scanner.feed(code.encode() + b"y" * 3 + b" " + code.encode() + b"\n")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = scanner.signs()
    assert len(found) == 3
    assert all(len(sign.first) <= 300 for sign in found)
    assert peak < 3_000_000


def test_the_end_of_a_line_too_long_is_not_looked_at_and_the_next_line_is() -> None:
    found = signs("x" * 10_000 + " UserErrorFsFreezeFailed\n0x80042314\n", piece=1000)
    assert list(found) == ["azvm-vss-timeout-iops"]
