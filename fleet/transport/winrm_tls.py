"""TLS to a WinRM listener: who answers is verified, and what is wrong with a certificate is said in words."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from threading import Lock

from urllib3.util import wait_for_read, wait_for_write

from fleet.errors import DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.model import Address, WinrmSettings, printable
from fleet.ports import Deadline

_WRONG_NAME = {62, 64}
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (OpenSSL, x509_vfy.h)."""

_VERIFY_WORDS = {
    9: "is not valid yet. Look at the clocks here and in the guest.",
    10: "has expired. Have it renewed in the guest.",
    18: "is signed by itself. Name it in ansible_winrm_ca_trust_path, or have it issued by a CA you trust.",
    19: "comes from an unknown CA. Name that CA's certificate in ansible_winrm_ca_trust_path.",
    20: "comes from an unknown CA. Name that CA's certificate in ansible_winrm_ca_trust_path.",
    21: "comes from an unknown CA. Name that CA's certificate in ansible_winrm_ca_trust_path.",
    23: "was revoked. Have a new one issued for the guest.",
    26: "is not meant for servers. Have one issued for server authentication.",
    66: "has a key that is too short. Have a new one issued.",
    68: "is signed with a weak digest. Have a new one issued.",
}
"""Codes of OpenSSL's x509_vfy.h that people meet, with what to do."""


class Tls:
    """How to meet one guest over TLS: a context that is shared, and the name expected of the guest."""

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        self._context = context
        self._server_name = server_name

    def handshake(
        self, link: socket.socket, address: Address, port: int, deadline: Deadline
    ) -> tuple[socket.socket, bytes | None]:
        """Speak TLS on a connected socket; give the new socket and the guest's certificate (DER).

        Raises ``DeniedError`` where the certificate is not good, ``ProtocolError`` where there is no
        usable TLS, ``UnreachableError`` where the handshake breaks off or does not end in time.
        """
        endpoint = f"{address.for_url}:{port}"
        name = self._server_name or address.text
        secured = self._context.wrap_socket(link, server_hostname=name, do_handshake_on_connect=False)
        wrong_name = False
        try:
            _finish(secured, endpoint, deadline)
            return secured, secured.getpeercert(binary_form=True)
        except ssl.SSLCertVerificationError as error:
            secured.close()
            wrong_name = error.verify_code in _WRONG_NAME
            failure: TransportError = _refused(error, endpoint)
        except OSError as error:
            secured.close()
            failure = failed_tls(error, endpoint) or UnreachableError(
                f"{endpoint} hung up during the TLS handshake. "
                "Look whether the listener has a certificate (winrm enumerate winrm/config/listener)."
            )
        except TransportError:
            secured.close()
            raise
        if wrong_name:
            failure = DeniedError(_wrong_name(name, self._names(address, port, deadline)))
        raise failure

    def _names(self, address: Address, port: int, deadline: Deadline) -> list[str]:
        """Names in the guest's certificate, asked for once more because a failed handshake hides them.

        The chain is verified again, so that the names come from a CA that is trusted.
        """
        try:
            with socket.create_connection((address.text, port), max(0.1, deadline.remaining)) as link:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.load_verify_locations(cadata=b"".join(self._context.get_ca_certs(binary_form=True)))
                with context.wrap_socket(link, do_handshake_on_connect=False) as secured:
                    _finish(secured, address.text, deadline)
                    certificate = secured.getpeercert() or {}
        except (OSError, ValueError, TransportError):
            return []
        names = certificate.get("subjectAltName", ())
        return [str(entry[1]) for entry in names if isinstance(entry, tuple) and len(entry) == 2]


class TlsContexts:
    """Makes TLS contexts and keeps them: reading the certificates to trust takes longer than a handshake."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path | None, bool, Path | None, Path | None], ssl.SSLContext] = {}
        self._lock = Lock()

    def of(self, settings: WinrmSettings) -> Tls:
        """Give what these settings ask for; raises ``DeniedError`` where a file of theirs is no use."""
        key = (settings.ca_trust_path, settings.verify, settings.certificate, settings.certificate_key)
        with self._lock:
            context = self._known.get(key)
            if context is None:
                context = self._known[key] = _context(settings)
        return Tls(context, settings.server_name)


def failed_tls(error: OSError, endpoint: str) -> TransportError | None:
    """Say in words what an error of the TLS layer means; None where it is none."""
    if not isinstance(error, ssl.SSLError):
        return None
    reason = (error.reason or "").upper()
    if ("VERSION" in reason and "WRONG" not in reason) or reason == "UNSUPPORTED_PROTOCOL":
        return ProtocolError(
            f"{endpoint} offers no TLS 1.2 or newer. Switch it on in the guest (Schannel protocols)."
        )
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return ProtocolError(
            f"{endpoint} does not speak TLS. Is it the port of the HTTP listener (5985)? "
            "Then set ansible_port: 5986, or ansible_winrm_scheme: http."
        )
    if "ALERT" in reason:
        return DeniedError(
            f"{endpoint} broke TLS off: it did not accept our side. Where a client certificate is used, "
            "look whether the guest trusts its issuer and maps it to a user."
        )
    return None


def _finish(secured: ssl.SSLSocket, endpoint: str, deadline: Deadline) -> None:
    """Carry the handshake through under one deadline, however slowly the other side drips."""
    secured.setblocking(False)
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            ready = wait_for_read(secured, deadline.remaining)
        except ssl.SSLWantWriteError:
            ready = wait_for_write(secured, deadline.remaining)
        else:
            return
        if not ready or deadline.expired:
            raise UnreachableError(
                f"{endpoint} did not finish the TLS handshake in time. Is it a WinRM HTTPS listener?"
            )


def _context(settings: WinrmSettings) -> ssl.SSLContext:
    trusted = settings.ca_trust_path
    try:
        if trusted and trusted.is_dir():
            context = ssl.create_default_context(capath=str(trusted))
        else:
            context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
    except OSError:
        raise DeniedError(
            f"No certificates can be read from {trusted} (ansible_winrm_ca_trust_path). "
            "It has to be a PEM file or a folder of them. Nothing was sent."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.certificate:
        _load_own_certificate(context, settings.certificate, settings.certificate_key)
    return context


def _load_own_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    def no_passphrase() -> str:
        raise ValueError("a passphrase is needed")

    try:
        context.load_cert_chain(certificate, key, no_passphrase)
    except (OSError, ValueError):
        raise DeniedError(
            f"The client certificate {certificate} can't be used: PEM files of certificate and unencrypted "
            "key are needed, readable by you. Nothing was sent."
        ) from None


def _refused(error: ssl.SSLCertVerificationError, endpoint: str) -> DeniedError:
    words = _VERIFY_WORDS.get(error.verify_code)
    if words is None:
        said = printable(error.verify_message)
        words = f"was not accepted (OpenSSL says: {said}). Have it renewed in the guest."
    return DeniedError(f"The certificate of {endpoint} {words} Nothing was sent.")


def _wrong_name(expected: str, found: list[str]) -> str:
    shown = ", ".join(f'"{printable(name)[:100]}"' for name in found[:4]) or "other names"
    return (
        f'The server\'s certificate is for {shown}, not "{expected}". '
        "If that is right: set ansible_winrm_server_name, or have the certificate renewed. Nothing was sent."
    )
