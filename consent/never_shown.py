"""Which scopes are shown to nobody, whatever a policy declares: what reaches, finds or numbers a person.

No e-mail, phone number, address, birth date, member number or radio identifier ever leaves the gateway. A scope is
judged by its id alone, in English and German; HQ refuses a policy that declares one, and to the decision it is unknown.

Pure: no I/O, no clock.
"""

import re
from functools import lru_cache

# The closed list of docs/policy.md. `_BEGIN`: how a word of an id begins; `_WORDS`: a whole word of it, or several
# written together. "phone" begins none, as phone cases are sold; "address" ends none, as a headdress is worn.
_BEGIN = ("email", "telefon", "telephon", "address", "adress", "anschrift", "birth", "geburt", "bluetooth")
_WORDS = frozenset((
    "mail", "mails", "mailbox",
    "phone", "phones", "cellphone", "homephone", "mobilephone", "workphone", "mobile", "mobil", "handy", "festnetz",
    "rufnummer", "msisdn", "fax",
    "homeaddress", "postaladdress", "mailingaddress", "deliveryaddress", "shippingaddress", "billingaddress",
    "wohnadresse", "postadresse", "lieferadresse", "rechnungsadresse", "mailadresse", "postanschrift",
    "street", "strasse", "housenumber", "hausnummer", "postcode", "postalcode", "zip", "zipcode", "plz",
    "postleitzahl",
    "dateofbirth", "yearofbirth", "dob", "bday", "born",
    "iban", "barcode",
    "mac", "macs", "macaddress", "ble", "bssid", "imei", "imsi", "uuid", "udid", "idfa", "gaid", "adid",
    "advertisingid", "deviceid", "beacon", "rfid", "radio", "radioid", "irk", "token",
))  # fmt: skip
_NUMBERED = (
    "member", "membership", "customer", "client", "loyalty", "card", "account", "phone", "mobile", "cell",
    "mitglied", "mitglieds", "kunde", "kunden", "karten", "kundenkarten", "konto", "handy", "mobil", "fax",
)  # fmt: skip
_NUMBERS = ("number", "numbers", "no", "num", "nr", "nummer", "nummern", "id", "ids", "code", "barcode")
_CLOSED = _WORDS | {whose + number for whose in _NUMBERED for number in _NUMBERS}


@lru_cache(maxsize=1024)
def is_never_shown(scope: str) -> bool:
    """Whether no associate may ever see this scope, whoever declared and granted it; however its words are divided."""
    words = re.findall(r"[a-z]+", scope.lower())
    if any(word.startswith(_BEGIN) for word in words):
        return True
    ends = range(1, len(words) + 1)
    return any("".join(words[at:end]) in _CLOSED for end in ends for at in range(end))
