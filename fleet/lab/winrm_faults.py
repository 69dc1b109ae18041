"""How a WinRM service of the lab can be told to misbehave."""

from __future__ import annotations

from enum import StrEnum

from fleet.lab.winrm_shells import NO_RIGHT, NO_SHELL, FaultReply, envelope


class Fault(StrEnum):
    """How a service may misbehave."""

    PLAIN = "a reply in the clear"
    REDIRECT = "a redirect to another port"
    GZIP = "a small reply that unpacks to a big one"
    CUT_BEFORE = "hangs up without carrying the request out"
    CUT_AFTER = "carries the request out and hangs up without a reply"
    CUT_HALF = "hangs up in the middle of the reply"
    STALE = "hangs up after the reply, between two requests"
    QUOTA = "a quota, as a WSManFault"
    WMI_QUOTA = "a quota, as an MSFT_WmiError"
    NO_SHELL = "says that there is no such shell"
    NO_RIGHT = "denies the operation"
    DRIP = "a byte now and then, without end"
    ENDLESS = "a header without end"
    BIG = "a reply of 3 MB"
    UNAVAILABLE = "HTTP 503"
    UNAUTHORIZED = "HTTP 401"
    BAD_REQUEST = "HTTP 400"
    NOT_FOUND = "HTTP 404"
    NOT_XML = "a reply that is no XML"
    DTD = "a reply with a document type and entities"
    DEEP = "a reply that is nested too deep"
    CONTROL = "a fault with control characters in its text"
    OTHER_QUESTION = "the reply to another question"
    NO_EXIT_CODE = "the end of a command without its exit code"
    FORGED = "a sealed reply with a flipped bit"


STATUSES = {
    Fault.UNAVAILABLE: 503,
    Fault.UNAUTHORIZED: 401,
    Fault.BAD_REQUEST: 400,
    Fault.NOT_FOUND: 404,
}
FAULTS = {
    Fault.QUOTA: FaultReply(2150859174, "w:QuotaLimit", "The maximum number of operations was exceeded."),
    Fault.WMI_QUOTA: FaultReply(2150859173, "w:QuotaLimit", "Too many shells.", wmi=True),
    Fault.NO_SHELL: FaultReply(NO_SHELL, "w:InvalidSelectors", "The shell was not found on the server."),
    Fault.NO_RIGHT: FaultReply(NO_RIGHT, "w:AccessDenied", "Access is denied."),
    Fault.CONTROL: FaultReply(5011, "w:InternalError", "said \x01\x1b[31mred"),
}
BODIES = {
    Fault.NOT_XML: b"<html><body>It works!",
    Fault.DTD: b'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">]><s>&a;</s>',
    Fault.DEEP: b"<a>" * 10_000 + b"</a>" * 10_000,
    Fault.BIG: b" " * 3_000_000,
    Fault.OTHER_QUESTION: envelope("", "uuid:00000000-0000-0000-0000-000000000000"),
}
