"""From what an operator has in hand to the runbook: codes in every form, ids, and words of messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.catalog import load
from fleet.catalog.codes import key
from fleet.catalog.find import Answer, Finder, fold

FINDER = Finder(load())


def ids(*arguments: str) -> list[str]:
    """The best match of each answer; what is suggested, with a question mark, where there is none."""
    return [best(answer) for answer in FINDER.ask(arguments)]


def best(answer: Answer) -> str:
    if answer.matches:
        return answer.matches[0].runbook.id
    return "?" + ",".join(answer.suggestions)


class TestCodes:
    @pytest.mark.parametrize(
        "code",
        ["34513", "ID 34513", "ID: 34513", "id:34513", " 34513 ", "(34513)", "Error 34513.", "Errore: 34513"],
    )
    def test_labels_and_signs_around_a_code_do_not_matter(self, code: str) -> None:
        assert key(code) == "34513"

    @pytest.mark.parametrize(
        "code",
        ["0x80042314", "80042314", "0X80042314", "-2147212524", "hresult: 0x80042314", "0x0000000080042314"],
    )
    def test_a_number_is_one_code_in_every_form(self, code: str) -> None:
        assert key(code) == "80042314"
        assert ids(code) == ["azvm-vss-timeout-iops"]

    def test_a_short_hexadecimal_number_needs_no_prefix(self) -> None:
        assert key("0x1FC07") == key("1fc07") == "1fc07"

    def test_different_codes_stay_different(self) -> None:
        assert len({key(code) for code in ("Error 1401", "1402", "0x1401a", "System error 5", "5")}) == 5

    @pytest.mark.parametrize(
        "code", ["UserErrorFsFreezeFailed", "usererrorfsfreezefailed", "USERERRORFSFREEZEFAILED"]
    )
    def test_case_does_not_matter(self, code: str) -> None:
        assert ids(code) == ["azvm-fsfreeze-failed"]

    @given(st.text(max_size=60))
    def test_a_key_is_its_own_key(self, code: str) -> None:
        assert key(key(code)) == key(code)

    @pytest.mark.parametrize(
        ("code", "id"),
        [
            ("34513", "mars-invalid-vault-credentials-34513"),
            ("ID: 34513", "mars-invalid-vault-credentials-34513"),
            ("Errore: 100050", "mars-connect-failed-100050"),
            ("(407)", "mars-connect-failed-100050"),
            ("0x1FC07", "mars-activation-incomplete-0x1fc07"),
            ("130055", "mars-activation-incomplete-0x1fc07"),
            ("80070570", "mars-warning-0x80070570-corrupt-file"),
            ("-2147023504", "mars-warning-0x80070570-corrupt-file"),
            ("0x80070003", "mars-warning-0x80070002-file-not-found"),
            ("230006", "mars-resource-not-provisioned-230006"),
            ("SalLowDiskSpace", "mars-sal-low-disk-space"),
        ],
    )
    def test_those_of_the_mars_agent_lead_to_its_runbooks(self, code: str, id: str) -> None:
        assert ids(code) == [id]


class TestSeveralAtOnce:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("380008,UserErrorFsFreezeFailed",),
            ("380008", "UserErrorFsFreezeFailed"),
            ("380008, ", "UserErrorFsFreezeFailed,"),
        ],
    )
    def test_each_code_has_its_answer(self, arguments: tuple[str, ...]) -> None:
        assert ids(*arguments) == ["azvm-offline-380008", "azvm-fsfreeze-failed"]

    def test_an_id_is_as_good_as_a_code(self) -> None:
        assert ids("azvm-bitlocker-locked", "380008") == ["azvm-bitlocker-locked", "azvm-offline-380008"]

    def test_a_code_named_twice_is_answered_once(self) -> None:
        assert ids("380008,380008") == ["azvm-offline-380008"]

    def test_one_that_is_not_known_does_not_hide_the_others(self) -> None:
        assert ids("380008", "UserErrorFsFrezeFailed") == ["azvm-offline-380008", "?UserErrorFsFreezeFailed"]


MESSAGES = [
    ("Failed to freeze one or more mount points of the VM to take a snapshot.", "azvm-fsfreeze-failed"),
    ("Impossibile bloccare uno o pi\u00f9 punti di montaggio", "azvm-fsfreeze-failed"),
    ("IMPOSSIBILE BLOCCARE UNO O PIU PUNTI DI MONTAGGIO", "azvm-fsfreeze-failed"),
    ("L'agente di macchine virtuali non \u00e8 in grado di comunicare", "azvm-agent-unable-to-communicate"),
    ("VM agent is unable to communicate with Azure Backup", "azvm-agent-unable-to-communicate"),
    ("shadow copy provider timed out while holding writes to the volume", "azvm-vss-timeout-iops"),
    ("Il backup non \u00e8 riuscito con un errore interno", "azvm-backup-internal-error"),
    ("bitlocker", "azvm-bitlocker-locked"),
    ("SELinux", "azvm-selinux-waagent-path"),
    ("snapshot limits", "azvm-snapshot-limit-reached"),
    ("The vault credentials provided are invalid", "mars-invalid-vault-credentials-34513"),
    (
        "Il file \u00e8 danneggiato o non ha le credenziali pi\u00f9 recenti del servizio di ripristino",
        "mars-invalid-vault-credentials-34513",
    ),
    ("S\u00e4kerhetskopieringsjobbet slutf\u00f6rdes med varningar", "mars-backup-completed-with-warnings"),
    (
        "O agente n\u00e3o p\u00f4de se conectar ao Backup do Microsoft Azure",
        "mars-connect-failed-100050",
    ),
    ("L'accesso al file Cloud \u00e8 stato negato.", "mars-warning-0x8007018b-cloud-file"),
]
"""Pasted as they are, with other accents, in another case, or only a word or two."""


class TestMessages:
    @pytest.mark.parametrize(
        ("written", "folded"),
        [
            ("\u00c5terst\u00e4llning", "aterstallning"),  # Swedish
            ("n\u00e3o \u00e9 poss\u00edvel", "nao e possivel"),  # Portuguese
            ("attivita\u0300", "attivita"),  # Italian, the accent as a character of its own
        ],
    )
    def test_accents_and_case_do_not_matter(self, written: str, folded: str) -> None:
        assert fold(written) == folded

    @pytest.mark.parametrize(("message", "id"), MESSAGES)
    def test_words_lead_to_the_fault(self, message: str, id: str) -> None:
        assert ids(message) == [id]
        assert ids(*message.split()) == [id]

    @pytest.mark.parametrize(
        ("message", "id"),
        [
            (
                "Job failed: ErrorCode=UserErrorSkuNotAvailable; try again later",
                "azvm-restore-sku-not-available",
            ),
            ("the Application log has event 517 every night", "azvm-event-log-other-backup-product"),
            ("Error 1401. Could not create key", "azvm-vcredist-installation-failure"),
            ("the provider said 0x80042314, then stopped", "azvm-vss-timeout-iops"),
        ],
    )
    def test_a_code_within_a_message_is_seen(self, message: str, id: str) -> None:
        assert ids(message) == [id]

    def test_a_small_number_is_no_code_by_itself(self) -> None:
        assert ids("245 apples and 517 pears") == ["?"]

    @pytest.mark.parametrize("message", ["the printer is on fire", "è", "...", "lunch", "\0", "\ud800", "%s"])
    def test_what_fits_nothing_is_not_answered(self, message: str) -> None:
        assert ids(message) == ["?"]

    def test_messages_that_several_faults_have_name_them_all(self) -> None:
        [answer] = FINDER.ask(["cancel the job"])
        assert {match.runbook.id for match in answer.matches} == {
            "azvm-job-cancel-failed",
            "azvm-job-cancel-not-in-progress",
            "azvm-job-cancel-not-supported",
            "azvm-job-not-cancelable-state",
        }

    @given(st.lists(st.text(max_size=40), max_size=5))
    def test_nothing_that_is_typed_or_pasted_breaks_it(self, arguments: list[str]) -> None:
        for answer in FINDER.ask(arguments):
            assert all(0 <= match.score <= 1 for match in answer.matches)


class TestNearMisses:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("UserErrorFsFrezeFailed", "UserErrorFsFreezeFailed"),
            ("ExtensionConfigParsingFailur", "ExtensionConfigParsingFailure"),
            ("azvm-fsfreze-failed", "azvm-fsfreeze-failed"),
            ("38008", "380008"),
        ],
    )
    def test_the_likely_code_is_suggested_and_not_assumed(self, typed: str, meant: str) -> None:
        [answer] = FINDER.ask([typed])
        assert not answer.matches
        assert answer.suggestions[0] == meant


@pytest.mark.parametrize("id", load().runbooks)
def test_every_runbook_is_found_by_each_of_its_own_hints(id: str) -> None:
    for hint in load().runbook(id).match_hints:
        [answer] = FINDER.ask([hint])
        assert id in [match.runbook.id for match in answer.matches], hint
