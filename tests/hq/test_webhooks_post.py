"""Where a hook may be."""

import ipaddress
import socket

import pytest

from hq import webhooks_post
from hq.errors import HookNotTaken, Refused
from hq.webhooks_post import HttpPost


def test_no_address_within_is_called() -> None:
    """By number, by name, and in the forms in which IPv6 carries IPv4."""
    private = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
               "2002:a00:1::", "0.0.0.0", "100.64.0.1", "224.0.0.1", "fe80::1", "64:ff9b:1::a00:1", "fec0::1",
               "::127.0.0.1", "::ffff:0:a00:1", "ff0e::1")  # fmt: skip
    assert not any(webhooks_post.is_public(ipaddress.ip_address(one)) for one in private)
    public = ("93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822", "2002:5db8:d822::")
    assert all(webhooks_post.is_public(ipaddress.ip_address(one)) for one in public)
    for url in ("https://127.0.0.1/", "https://[::1]/", "http://example.com/", "ftp://example.com", "https://a@b/",
                "https://10.0.0.1:8443/hook", "http://127.0.0.1/"):  # fmt: skip
        with pytest.raises(Refused):
            webhooks_post.check_url(url, private=False)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(HookNotTaken, match="not allowed"):
        HttpPost(private=False, ca=None)(f"https://localhost:{server.getsockname()[1]}/hook", b"", {})
