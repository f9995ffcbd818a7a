"""The page by which a tablet comes to trust this box: the store's own authority, and how to install it, in pictures.

It needs no pairing and no session, tells nothing of the store but its authority, and works without a script.

I/O: answers HTTP requests (flask).
"""

import hashlib
import plistlib
import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Response, current_app, render_template, request

from runtime.web_languages import current, mark, speaking
from runtime.web_static import Static
from tablet_api import pages
from tablet_api.errors import Problem, ProblemKind
from tablet_api.languages import LANGUAGES
from wire.trust import fingerprint

CERTIFICATE: Final = "application/x-x509-ca-cert"
PROFILE: Final = "application/x-apple-aspen-config"
_NAME: Final = "Consentry tablets"
_SPACE: Final = uuid.UUID("6b1d5a52-5a0f-4d5c-9d0e-6f2f7f6d8a11")  # of this page's profiles


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a drawn screen. `tapped`: where a finger goes; `switch`: it ends in one."""

    text: str
    tapped: bool = False
    switch: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, and the screen on which it is done."""

    name: str
    text: str
    title: str
    rows: tuple[Row, ...]


# The words on the drawn screens are those of iPadOS 17 and 18, and of Android 13 to 15.
IPAD: Final = (
    Step(
        "ipad-1",
        mark("In Safari, press the button for iPad on this page, and allow the download."),
        mark("Safari"),
        (
            Row(mark("This website is trying to download a configuration profile.")),
            Row(mark("Ignore")),
            Row(mark("Allow"), tapped=True),
        ),
    ),
    Step(
        "ipad-2",
        mark(
            "Open Settings. At the top stands “Profile Downloaded”: open it and press Install. "
            "Compare the fingerprint under “More Details” before you do."
        ),
        mark("Settings"),
        (Row(mark("Profile Downloaded"), tapped=True), Row(mark("Wi-Fi")), Row(mark("General"))),
    ),
    Step(
        "ipad-3",
        mark("In Settings, open General, then About, and at the end Certificate Trust Settings."),
        mark("About"),
        (Row(mark("Model Name")), Row(mark("Serial Number")), Row(mark("Certificate Trust Settings"), tapped=True)),
    ),
    Step(
        "ipad-4",
        mark("Switch full trust on for this store’s certificate, and confirm."),
        mark("Certificate Trust Settings"),
        (Row(mark("Enable full trust for root certificates")), Row(_NAME, tapped=True, switch=True)),
    ),
)
ANDROID: Final = (
    Step(
        "android-1",
        mark("Press the button for Android on this page. A file is saved under Downloads."),
        mark("Chrome"),
        (Row("consentry.crt"), Row(mark("Download"), tapped=True)),
    ),
    Step(
        "android-2",
        mark(
            "Open Settings and search for “CA certificate”: it is below Security, Encryption and credentials, "
            "Install a certificate."
        ),
        mark("Install a certificate"),
        (
            Row(mark("CA certificate"), tapped=True),
            Row(mark("VPN and app certificate")),
            Row(mark("Wi-Fi certificate")),
        ),
    ),
    Step(
        "android-3",
        mark(
            "Android warns that such a certificate could read along. This one can only be used for this store’s box. "
            "Press “Install anyway”, and choose the file."
        ),
        mark("Your data won’t be private"),
        (Row(mark("Don’t install")), Row(mark("Install anyway"), tapped=True)),
    ),
    Step(
        "android-4",
        mark("Under Trusted credentials, User, open the new entry and compare the fingerprint."),
        mark("Trusted credentials"),
        (Row(mark("System")), Row(mark("User"), tapped=True), Row(_NAME)),
    ),
)
_STEPS: Final = {one.name: one for one in (*IPAD, *ANDROID)}


def make(authority: Callable[[], bytes]) -> pages.Part:
    """The pages. `authority` gives the store's own, PEM; empty: it is not known yet."""
    part = pages.Part("trust")

    def der() -> bytes:
        pem = authority()
        if not pem:
            raise Problem(ProblemKind.NOT_FOUND)
        return ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))

    @part.get("/trust")
    def trust() -> Response:
        """What to do, for an iPad or iPhone, and for Android."""
        static: Static = current_app.extensions[pages.STATIC]
        pem = authority()
        values = {
            "static": static.prefix,
            "fingerprint": fingerprint(pem) if pem else None,
            "systems": [("iPad", "/trust/consentry.mobileconfig", IPAD), ("Android", "/trust/consentry.crt", ANDROID)],
        }
        return Response(_spoken("trust/page.html", **values), content_type=pages.HTML)

    @part.get("/trust/consentry.crt")
    def certificate() -> Response:
        """The authority, DER."""
        return _file(der(), CERTIFICATE, "consentry.crt")

    @part.get("/trust/consentry.mobileconfig")
    def profile() -> Response:
        """The authority in a profile for iPadOS."""
        return _file(_profile(der()), PROFILE, "consentry.mobileconfig")

    @part.get("/trust/pictures/<name>.svg")
    def picture(name: str) -> Response:
        """The screen of one step, in the language of the page."""
        step = _STEPS.get(name)
        if step is None:
            raise Problem(ProblemKind.NOT_FOUND)
        return Response(_spoken("trust/picture.svg", step=step), content_type="image/svg+xml")

    return part


def _spoken(template: str, **values: object) -> str:
    """In the language that the address names, else in the browser's: a link chooses it, where there is no script."""
    chosen = request.args.get("lang", "")
    language = chosen if chosen in LANGUAGES else current()
    with speaking(current_app._get_current_object(), language):  # type: ignore[attr-defined]
        return render_template(template, chosen=language, **values)


def _profile(der: bytes) -> bytes:
    """Apple, Configuration Profile Reference: one payload, of a root certificate. The same authority, the same ids."""
    identity = uuid.uuid5(_SPACE, hashlib.sha256(der).hexdigest())
    payload = {
        "PayloadType": "com.apple.security.root", "PayloadVersion": 1, "PayloadDisplayName": _NAME,
        "PayloadIdentifier": f"consentry.trust.{identity}.root", "PayloadUUID": str(uuid.uuid5(identity, "root")),
        "PayloadCertificateFileName": "consentry.crt", "PayloadContent": der,
    }  # fmt: skip
    return plistlib.dumps({
        "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadDisplayName": _NAME,
        "PayloadIdentifier": f"consentry.trust.{identity}", "PayloadUUID": str(identity), "PayloadContent": [payload],
    })  # fmt: skip


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
