"""Pseudonyms of IP addresses that keep their networks: what shared its first n bits shares them afterwards.

The construction is that of Crypto-PAn (Xu, Fan, Ammar and Moon, "Prefix-Preserving IP Address Anonymization",
ICNP 2002): a bit is flipped or not as a keyed function of the bits before it says. That function is keyed
BLAKE2b here, of the standard library. yacryptopan on PyPI has AES for it, but neither addresses that stay as
they are nor networks that stay private.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_KEPT = (
    "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "168.63.129.16/32", "169.254.169.254/32",
    "::/128", "::1/128", "ff00::/8",
)  # fmt: skip
"""Stay as they are, for they are nobody's and a reader needs them: loopback, multicast, masks, and the wire
server and instance metadata of Azure
(https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16)."""

_CLASSES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
"""Stay what they are: a private address becomes a private one (RFC 1918, 3927, 4193, 4291)."""


def _prefixes(texts: tuple[str, ...], version: int) -> tuple[tuple[int, int], ...]:
    networks = [ipaddress.ip_network(text) for text in texts]
    return tuple(
        (int(network.network_address) >> (network.max_prefixlen - network.prefixlen), network.prefixlen)
        for network in networks
        if network.version == version
    )


class Addresses:
    """The pseudonyms of all addresses under one key; each has its way back."""

    def __init__(self, digest: Callable[[bytes], bytes]) -> None:
        self._digest = digest
        self._kept = {version: _prefixes(_KEPT, version) for version in (4, 6)}
        self._classes = {version: _prefixes(_CLASSES, version) for version in (4, 6)}
        self.hide = functools.lru_cache(maxsize=65536)(self._hide)
        self.reveal = functools.lru_cache(maxsize=65536)(self._reveal)
        self._flip = functools.lru_cache(maxsize=65536)(self._flip_of)

    def _hide(self, address: Address) -> Address:
        """Give the pseudonym; an address that stays is its own."""
        return self._walk(address, back=False)

    def _reveal(self, address: Address) -> Address:
        """Give the address whose pseudonym this is."""
        return self._walk(address, back=True)

    def _walk(self, address: Address, *, back: bool) -> Address:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            inner = self._walk(address.ipv4_mapped, back=back)
            return ipaddress.IPv6Address(0xFFFF << 32 | int(inner))
        bits, given = address.max_prefixlen, int(address)
        original = result = 0
        for length in range(bits):
            bit = given >> (bits - 1 - length) & 1
            other = bit ^ self._flip(original, length, address.version)
            original = original << 1 | (other if back else bit)
            result = result << 1 | other
        return type(address)(result)

    def _flip_of(self, prefix: int, length: int, version: int) -> int:
        """Whether the bit after these is flipped: never on the way to a network that stays, nor within it."""
        for network, size in self._kept[version]:
            if length < size and network >> (size - length) == prefix:
                return 0
            if length >= size and prefix >> (length - size) == network:
                return 0
        for network, size in self._classes[version]:
            if length < size and network >> (size - length) == prefix:
                return 0
        return self._digest(f"{version}/{length}/{prefix:x}".encode())[0] & 1
