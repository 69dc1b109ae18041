"""What a simulated Windows guest has written into its logs; made up, in the form of the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_LOGS = "C:\\WindowsAzure\\Logs"
_EXTENSION = f"{_LOGS}\\Plugins\\Microsoft.Azure.RecoveryServices.VMSnapshot\\1.0.9184.0"

TEXTS = {
    f"{_LOGS}\\WaAppAgent.log": (
        "[00000004] [11/23/2026 22:00:01.10] [INFO]  Goal state 7 read from 168.63.129.16\r\n"
        "[00000004] [11/23/2026 22:00:02.31] [INFO]  Plugin VMSnapshot 1.0.9184.0 enabled\r\n"
    ),
    f"{_LOGS}\\TransparentInstaller.log": "[00000001] [11/20/2026 06:12:44.02] [INFO]  Agent 2.7.41491\r\n",
    f"{_EXTENSION}\\IaasBcdrExtension0.log": (
        "2026-11-23T22:00:03Z Snapshot asked for by contoso\\backupops from 10.0.0.5\r\n"
        "2026-11-23T22:00:03Z PUT https://simulated.blob.core.windows.net/vhds/os.vhd?comp=snapshot"
        "&sv=2024-11-04&sig=U2ltdWxhdGVkLCBub3QgYSBzZWNyZXQ%3D\r\n"
        "2026-11-23T22:00:19Z Snapshot taken\r\n"
    ),
}
"""What stands in files, by path; the signature is of nothing."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the guest's logs."""

    log: str
    provider: str
    id: int
    level: int
    """1 critical, 2 error, 3 warning, 4 information."""
    time: str
    """In UTC, as 2026-11-23T22:00:00."""
    message: str

    def xml(self, record: int) -> str:
        """As ``wevtutil qe /f:RenderedXml`` prints it, on one line."""
        return (
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
            f"<Provider Name='{escape(self.provider)}'/><EventID Qualifiers='0'>{self.id}</EventID>"
            f"<Level>{self.level}</Level><TimeCreated SystemTime='{self.time}.0000000Z'/>"
            f"<EventRecordID>{record}</EventRecordID><Channel>{escape(self.log)}</Channel></System>"
            f"<EventData></EventData><RenderingInfo Culture='en-US'><Message>{escape(self.message)}</Message>"
            "</RenderingInfo></Event>"
        )


_EVENTS = (
    Event("System", "User32", 1074, 4, "2026-11-20T06:10:00", "A restart was asked for: an update."),
    Event(
        "Application", "VSS", 8224, 4, "2026-11-23T22:03:00", "The VSS service is shutting down, being idle."
    ),
)

WRITER_FAILED = Event(
    "Application", "VSS", 8193, 2, "2026-11-23T22:00:05", "Unexpected error. hr = 0x80070005"
)
"""Of a server on which a VSS writer failed."""


def logged(*more: Event) -> list[str]:
    """XML of all that a guest has logged, the newest first."""
    events = sorted((*_EVENTS, *more), key=lambda event: event.time)
    return [event.xml(number) for number, event in enumerate(events, 1)][::-1]
