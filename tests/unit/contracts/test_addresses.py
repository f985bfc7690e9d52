import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.addresses import AddressPolicy, host_of
from contracts.errors import SourceForbidden

CLOSED, OPEN = AddressPolicy(), AddressPolicy(allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/a.m3u8",
        "http://[fd00:ec2::254]/",
        "http://2852039166/",  # 169.254.169.254 as one number
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal./",
        "rtsp://user:pass@169.254.1.1/live",
    ],
)
def test_metadata_and_link_local_addresses_are_refused_whatever_the_settings(url: str) -> None:
    for policy in (CLOSED, OPEN):
        with pytest.raises(SourceForbidden) as refused:
            policy.check_url(url)
        assert refused.value.cause == "metadata"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/a",
        "http://a.localhost/",
        "http://10.0.0.7/a",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://[::1]/",
        "http://[fc00::1]/",
        "http://0.0.0.0/",
        "http://127.1/",
        "http://100.64.0.1/",
        "udp://239.1.1.1:1234",
        "http://[2002:7f00:1::]/",
    ],
)
def test_private_addresses_are_open_only_where_settings_say_so(url: str) -> None:
    OPEN.check_url(url)
    with pytest.raises(SourceForbidden) as refused:
        CLOSED.check_url(url)
    assert refused.value.cause == "private"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "concat:a|b",
        "data:text/plain,a",
        "ftp://origin.example/a",
        "HTTP//a",
        "",
        "http://",
        "http://a b/",
        "http://origin.example/\r\nHost: b",
        "http://origin.example:99999/",
        "http://[::1/",
        "https://origin.example/" + "a" * 5000,
    ],
)
def test_what_is_no_network_address_is_refused(url: str) -> None:
    with pytest.raises(SourceForbidden):
        OPEN.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://origin.example/a.m3u8?token=x",
        "http://93.184.216.34/a",
        "rtmp://origin.example/live",
        "rtsp://origin.example/a",
        "tcp://origin.example:9000",
    ],
)
def test_public_addresses_are_open(url: str) -> None:
    CLOSED.check_url(url)


@given(st.text(max_size=60))
def test_no_text_makes_it_fail_otherwise_than_by_refusing(text: str) -> None:
    for url in (text, f"http://{text}/", f"http://{text}"):
        with contextlib.suppress(SourceForbidden):
            CLOSED.check_url(url)


def test_a_resolved_address_is_judged_as_a_written_one() -> None:
    CLOSED.check_address("93.184.216.34")
    for address in ("169.254.169.254", "fe80::1%eth0", "fd00:ec2::254", "nonsense"):
        with pytest.raises(SourceForbidden):
            OPEN.check_address(address)
    with pytest.raises(SourceForbidden):
        CLOSED.check_address("10.1.2.3")
    OPEN.check_address("10.1.2.3")


def test_a_budget_counts_by_host_and_port() -> None:
    assert host_of("https://user:pw@Origin.Example/a?b=c") == "origin.example:443"
    assert host_of("http://origin.example:8080/a") == "origin.example:8080"
    assert host_of("http://[") == ""
