"""Logging in to a WinRM service, and the sealed messages of a session over plain HTTP.

The login is carried out with an empty message before anything else is sent, exactly once a connection.
pywinrm's own handlers log in again in the middle of a session and send the message a second time; here a
session that lost its login is lost.
"""

from __future__ import annotations

import base64
import os
import re
import struct
from typing import Any

import requests
import spnego
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from requests.auth import AuthBase, HTTPBasicAuth
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError
from winrm.encryption import Encryption
from winrm.exceptions import WinRMError
from winrm.transport import Transport

from fleet.errors import BusyError, DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.model import Secret, WinrmSettings, printable
from fleet.ports import Deadline
from fleet.transport.winrm_wire import Wire

_SEALED = re.compile(
    r'multipart/encrypted\s*;\s*protocol="application/HTTP-SPNEGO-session-encrypted"\s*;\s*boundary=.+',
    re.IGNORECASE,
)
"""Content type of a sealed message (MS-WSMV 2.2.9.1)."""

_NTLM_NEEDED = {0x10: "signing", 0x20: "sealing", 0x80000: "NTLMv2 sessions", 0x20000000: "128-bit keys"}
"""Flags without which an NTLM session protects nothing (MS-NLMP 2.2.2.5)."""

_MALFORMED = (SpnegoError, ValueError, LookupError, ArithmeticError, struct.error)
"""What pyspnego and pywinrm raise on bytes that are not what they take them for (found by mutation)."""

_CERTIFICATE_HEADER = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


class GuardedTransport(Transport):
    """pywinrm's transport over our wire: it logs in once and believes only what is protected as agreed."""

    def __init__(self, wire: Wire, settings: WinrmSettings, user: str, password: Secret | None) -> None:
        """Take a connected wire; raises ``DeniedError`` where the settings allow no login."""
        _check_settings(wire, settings, user, password)
        super().__init__(
            endpoint=wire.url,
            username=user,
            password="",  # kept by no object of pywinrm: revealed in log_in only
            auth_method=settings.auth,
            cert_pem=str(settings.certificate) if settings.certificate else None,
            cert_key_pem=str(settings.certificate_key or settings.certificate)
            if settings.certificate
            else None,
            message_encryption="always" if wire.scheme == "http" else "never",
            proxy=None,
        )
        self.session = wire.session
        self._wire = wire
        self._settings = settings
        self._user = user
        self._password = password
        self._established = False

    def log_in(self, deadline: Deadline) -> None:
        """Log in, or prepare it where the first message carries the login; raises ``TransportError``."""
        secret = self._password.reveal() if self._password else ""
        method = self._settings.auth
        if method == "ntlm":
            self._ntlm(secret, deadline)
        elif method == "kerberos":
            self._by_handler(_kerberos(self._wire, self._user), deadline)
        elif method == "credssp":
            self._by_handler(_credssp(self._user, secret), deadline)
        elif method == "basic":
            self._wire.session.auth = HTTPBasicAuth(self._user.encode(), secret.encode())
        else:
            self._wire.session.headers["Authorization"] = _CERTIFICATE_HEADER
        if self._wire.scheme == "http":
            self.encryption = Encryption(self._wire.session, method)

    def exchange(self, message: bytes, deadline: Deadline) -> tuple[int, bytes]:
        """Send one message; give HTTP status and reply, opened where the session is sealed.

        Raises ``TransportError`` for everything that is no answer of the WinRM service itself.
        """
        session = self._wire.session
        if self.encryption is None:
            prepared = session.prepare_request(requests.Request("POST", self._wire.url, data=message))
        else:
            prepared = self.encryption.prepare_encrypted_request(session, self._wire.url, message)
        response = self._wire.send(prepared, deadline)
        if self._established and response.status_code in {400, 401}:
            raise UnreachableError(
                f"{self._wire.endpoint} no longer knows this session (HTTP {response.status_code}). "
                "Run the command again; if it repeats, look whether something between here and the guest "
                "splits connections."
            )
        reply = response.content if self.encryption is None else self._open(self.encryption, response)
        if response.status_code not in {200, 500}:
            raise self._refusal(response)
        self._established = True
        return response.status_code, reply

    def _open(self, encryption: Encryption, response: requests.Response) -> bytes:
        """Open a sealed reply; a plain one is refused whatever it says."""
        if not _SEALED.fullmatch(response.headers.get("Content-Type", "")):
            raise ProtocolError(
                f"{self._wire.endpoint} answered in the clear (HTTP {response.status_code}) in an encrypted "
                "session; it is not believed. Somebody may sit in between: use HTTPS "
                "(ansible_winrm_scheme: https)."
            )
        try:
            reply: bytes = encryption.parse_encrypted_response(response)
        except (WinRMError, *_MALFORMED):
            reply = b""
        if not reply:
            raise ProtocolError(
                f"A reply of {self._wire.endpoint} can't be decrypted; it was damaged or forged on its way. "
                "Use HTTPS (ansible_winrm_scheme: https) and look at what stands in between."
            )
        return reply

    def _ntlm(self, secret: str, deadline: Deadline) -> None:
        """NTLM in two requests (MS-NTHT), negotiate and authenticate; the connection is ours from then on."""
        if os.environ.get("LM_COMPAT_LEVEL", "3") not in {"3", "4", "5"}:
            raise DeniedError(
                "LM_COMPAT_LEVEL in the environment asks for NTLMv1; unset it. Nothing was sent."
            )
        context = spnego.client(
            self._user,
            secret,
            protocol="ntlm",
            hostname=self._settings.server_name or self._wire.address.text,
            service="http",
            channel_bindings=_bindings(self._wire.certificate),
            options=spnego.NegotiateOptions.use_ntlm,
        )
        challenge = self._wire.post(None, _authorization(context.step()), deadline)
        token = _token(challenge, "Negotiate")
        if challenge.status_code != 401 or token is None:
            raise self._refusal(challenge)
        missing = [name for flag, name in _NTLM_NEEDED.items() if not _ntlm_flags(token) & flag]
        if missing:
            raise DeniedError(
                f"{self._wire.endpoint} agrees to no {missing[0]} in NTLM. "
                "Somebody may sit in between, or the guest's NTLM settings are too weak. Nothing was sent."
            )
        answer = answer_to(context, token)
        if answer is None:
            raise ProtocolError(
                f"The NTLM challenge of {self._wire.endpoint} is malformed; that is no WinRM service."
            )
        response = self._wire.post(None, _authorization(answer), deadline)
        if response.status_code != 200:
            raise self._refusal(response)
        self._wire.session.auth = _Sealing(context)
        self._established = True

    def _by_handler(self, handler: AuthBase, deadline: Deadline) -> None:
        """Let a handler of another library log in with an empty message, then take it out of the way."""
        self._wire.session.auth = handler
        reason = None
        try:
            response = self._wire.post(None, {}, deadline)
        except TransportError:
            raise
        except Exception as error:  # noqa: BLE001 (libraries with errors of their own, some from C)
            reason = type(error).__name__
        if reason:
            raise DeniedError(self._handler_words(reason), login=self._settings.auth == "credssp")
        if response.status_code != 200:
            raise self._refusal(response)
        self._wire.session.auth = _Quiet(handler)
        self._established = True

    def _handler_words(self, reason: str) -> str:
        if self._settings.auth == "kerberos":
            return (
                f"Kerberos gave no ticket for HTTP/{self._wire.address.text} ({reason}). "
                f"Run kinit {self._user}, and look at the clock, DNS and the guest's SPN. Nothing was sent."
            )
        return (
            f"CredSSP failed ({reason}). Look at the password and whether the guest has it switched on. "
            "Nothing was sent."
        )

    def _refusal(self, response: requests.Response) -> TransportError:
        """Say in words what an HTTP status means that is no answer of the WinRM service."""
        endpoint, status = self._wire.endpoint, response.status_code
        if status == 401:
            return self._not_accepted(response)
        if status == 403:
            return DeniedError(
                f"{endpoint} forbids WinRM to us (HTTP 403). Look at the listener's IP filters."
            )
        if status in {404, 405}:
            return ProtocolError(
                f"{endpoint} speaks HTTP but is no WinRM service (HTTP {status} for /wsman). "
                "Set ansible_port (5986 for HTTPS, 5985 for HTTP)."
            )
        if status == 413:
            return ProtocolError(
                f"{endpoint} takes no message of this size (HTTP 413). "
                "Raise MaxEnvelopeSizekb in the guest to its default of 500."
            )
        if status == 503:
            return BusyError(
                f"{endpoint} says that the service is not available (HTTP 503): it starts, stops or has no "
                "room. Try again later, or look at the WinRM service in the guest."
            )
        return ProtocolError(f"{endpoint} answered with HTTP {status}, which no WinRM service does here.")

    def _not_accepted(self, response: requests.Response) -> DeniedError:
        wanted = {"ntlm": "Negotiate", "kerberos": "Kerberos", "credssp": "CredSSP", "basic": "Basic"}
        method = self._settings.auth
        if method == "certificate":
            return DeniedError(
                "The guest did not accept the client certificate: it is mapped to no user there "
                "(winrm enumerate winrm/config/service/certmapping), or certificates are off."
            )
        offered = {
            part.split()[0]
            for part in response.headers.get("WWW-Authenticate", "").split(",")
            if part.strip()
        }
        word = wanted[method]
        if offered and word.lower() not in {name.lower() for name in offered} | (
            {"kerberos"} if "Negotiate" in offered else set()
        ):
            shown = printable(", ".join(sorted(offered)))[:100]
            return DeniedError(
                f"The guest does not offer {word}, only {shown}. Switch it on there (winrm get "
                "winrm/config/service/auth), or set ansible_winrm_transport to what it offers."
            )
        return DeniedError(
            f'The guest did not accept the user "{printable(self._user)}" with this password. '
            "Mend the one that is wrong, or give the user the right to log in remotely; "
            "it is not tried again in this run.",
            login=True,
        )


def answer_to(context: spnego.ContextProxy, token: bytes) -> bytes | None:
    """Give the next token of a login; None where the guest's is malformed, whatever it is."""
    try:
        return context.step(token)
    except _MALFORMED:
        return None


class _Sealing(AuthBase):
    """What pywinrm's ``Encryption`` asks for, over an NTLM context; adds nothing to requests."""

    def __init__(self, context: spnego.ContextProxy) -> None:
        self._context = context

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request

    @property
    def session_security(self) -> _Sealing:
        return self

    def wrap(self, message: bytes) -> tuple[bytes, bytes]:
        sealed = self._context.wrap(message, encrypt=True).data
        return sealed[16:], sealed[:16]

    def unwrap(self, message: bytes, signature: bytes) -> bytes:
        return self._context.unwrap(signature + message).data


class _Quiet(AuthBase):
    """A login handler that has done its work: it still seals, but no longer answers a 401."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)


def _check_settings(wire: Wire, settings: WinrmSettings, user: str, password: Secret | None) -> None:
    if wire.scheme == "http" and settings.auth not in {"ntlm", "kerberos"}:
        raise DeniedError(
            f"{settings.auth} over plain HTTP would give the login away. "
            "Set ansible_winrm_scheme: https, or ansible_winrm_transport: ntlm. Nothing was sent."
        )
    if settings.auth in {"ntlm", "basic", "credssp"} and (not user or password is None):
        what = "no password: set fleet_password" if user else "no user: set ansible_user"
        raise DeniedError(f"{settings.auth} needs a login and there is {what}. Nothing was sent.")
    if settings.auth == "basic" and ":" in user:
        raise DeniedError("A user for Basic can't hold a colon (RFC 7617). Nothing was sent.")
    if settings.auth == "certificate" and settings.certificate is None:
        raise DeniedError("No client certificate is named: set ansible_winrm_cert_pem. Nothing was sent.")


def _kerberos(wire: Wire, user: str) -> AuthBase:
    try:
        from winrm.vendor.requests_kerberos import REQUIRED, HTTPKerberosAuth
        from winrm.vendor.requests_kerberos.kerberos_ import kerberos  # type: ignore[attr-defined]
    except ImportError:
        raise DeniedError(
            "Kerberos needs another package here: pip install 'fleet-remediation[kerberos]'. "
            "Nothing was sent."
        ) from None
    handler: Any = HTTPKerberosAuth(  # type: ignore[no-untyped-call]
        mutual_authentication=REQUIRED,
        force_preemptive=True,
        principal=user or None,
        sanitize_mutual_error_response=False,
        service="HTTP",
        send_cbt=True,
    )
    # The handler would look for the certificate in the first reply, which is too late for its first token.
    handler.cbt_binding_tried = True
    if wire.certificate:
        handler.cbt_struct = kerberos.channelBindings(application_data=_end_point(wire.certificate))
    login: AuthBase = handler
    return login


def _credssp(user: str, secret: str) -> AuthBase:
    try:
        from requests_credssp import HttpCredSSPAuth
    except ImportError:
        raise DeniedError(
            "CredSSP needs another package here: pip install 'fleet-remediation[credssp]'. Nothing was sent."
        ) from None
    handler: AuthBase = HttpCredSSPAuth(username=user, password=secret, minimum_version=5)
    return handler


def _authorization(token: bytes | None) -> dict[str, str]:
    return {"Authorization": "Negotiate " + base64.b64encode(token or b"").decode("ascii")}


def _token(response: requests.Response, scheme: str) -> bytes | None:
    """Token that the guest sent for this scheme; several challenges may share one header."""
    for part in response.headers.get("WWW-Authenticate", "").split(","):
        name, _, text = part.strip().partition(" ")
        if name.lower() == scheme.lower() and text.strip():
            try:
                return base64.b64decode(text.strip(), validate=True)
            except ValueError:
                return None
    return None


def _ntlm_flags(challenge: bytes) -> int:
    """NegotiateFlags of a CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2); 0 where it is none."""
    if len(challenge) < 24 or challenge[:8] != b"NTLMSSP\0":
        return 0
    return int.from_bytes(challenge[20:24], "little")


def _bindings(certificate: bytes | None) -> GssChannelBindings | None:
    return GssChannelBindings(application_data=_end_point(certificate)) if certificate else None


def _end_point(certificate: bytes) -> bytes:
    """Channel binding of type tls-server-end-point (RFC 5929 4.1): digest of the certificate."""
    try:
        digest = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        digest = None
    if digest is None or digest.name in {"md5", "sha1"}:
        digest = hashes.SHA256()
    summary = hashes.Hash(digest)
    summary.update(certificate)
    return b"tls-server-end-point:" + summary.finalize()
