"""Which addresses may be fetched on behalf of somebody else: asked when a stream is named, and at every hop after."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from contracts.errors import SourceForbidden

NETWORK_SCHEMES = frozenset({"http", "https", "rtmp", "rtsp", "udp", "rtp", "tcp"})

# Where clouds answer questions about the machine itself, credentials included. No setting opens these.
_NEVER = tuple(
    ip_network(text)
    for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "168.63.129.16/32", "100.100.100.200/32")
)
_NEVER_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"}
)
_NAT64 = ip_network("64:ff9b::/96")
_LONGEST_URL = 4096


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be fetched; `allow_private` opens loopback, private ranges and multicast."""

    allow_private: bool = False

    def check_url(self, url: str) -> None:
        """Raises SourceForbidden for a scheme that is no network's, and for a host written as a refused address."""
        if len(url) > _LONGEST_URL:
            raise SourceForbidden(f"The address is longer than {_LONGEST_URL} characters.", cause="length")
        if any(ord(char) <= 32 or ord(char) == 127 for char in url):
            raise SourceForbidden("The address holds blanks or control characters.", cause="syntax")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise SourceForbidden("The address is not a URL.", cause="syntax") from error
        if parts.scheme not in NETWORK_SCHEMES:
            named = ", ".join(sorted(NETWORK_SCHEMES))
            raise SourceForbidden(
                "Only network addresses are accepted.", f"Use one of: {named}.", cause="scheme"
            )
        if not host:
            if parts.scheme in {"udp", "rtp"} and self.allow_private:  # udp://:1234 listens on this machine
                return
            raise SourceForbidden("The address names no host.", cause="syntax")
        address = _written_as_address(host)
        if address is not None:
            self.check_address(str(address))
        elif host.rstrip(".").lower() in _NEVER_NAMES:
            raise SourceForbidden("The host is a metadata service.", cause="metadata")
        elif not self.allow_private and _is_local_name(host):
            raise SourceForbidden(
                "The host is this machine.", "The setting allow_private opens it.", cause="private"
            )

    def check_address(self, address: str) -> None:
        """Raises SourceForbidden for a resolved IP address that must not be spoken to; ask before connecting."""
        try:
            ip = _innermost(ip_address(address.partition("%")[0]))
        except ValueError as error:
            raise SourceForbidden("That is not an IP address.", cause="syntax") from error
        if any(ip in network for network in _NEVER if network.version == ip.version):
            raise SourceForbidden(
                "Link-local and metadata addresses are never fetched.",
                "Name the origin by its own address.",
                cause="metadata",
            )
        if not self.allow_private and (not ip.is_global or ip.is_multicast):
            raise SourceForbidden(
                "Private, loopback and multicast addresses are closed here.",
                "The setting allow_private opens them.",
                cause="private",
            )


def host_of(url: str) -> str:
    """`host:port` of an address, lower case, without credentials: what a budget per origin is counted by."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443, "rtmp": 1935, "rtsp": 554}.get(parts.scheme, 0)
        return f"{(parts.hostname or '').lower()}:{port}"
    except ValueError:
        return ""


def _is_local_name(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def _written_as_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` spells, also the old ways that resolvers still read: 2852039166, 0x7f.1, 0177.1."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if host and host[0].isdigit():
        try:
            return IPv4Address(socket.inet_aton(host.rstrip(".")))
        except OSError:
            return None
    return None


def _innermost(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one carries (mapped, 6to4, Teredo, NAT64), else itself."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
