"""PayPal's webhook signature: RSA with SHA-256 over the transmission, our webhook's id and the body's CRC-32.

Facts (PayPal docs, Webhooks, Verify): the signed text is `id|time|webhook id|crc`, where the CRC is over
the raw bytes, unsigned and decimal. A checksum is no digest: another body can be made to have the same
one. So a signature proves that PayPal sent *something*, and nothing in the body is believed.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from shared.errors import Rejected

SIGNATURE_HEADER = "paypal-transmission-sig"
ALGORITHM = "SHA256withRSA"
_PART = re.compile(r"[!-{}~]{1,128}", re.ASCII)  # printable, and no bar: it divides the signed text
_SIGNATURE_LENGTH_MAX = 1024  # a key of 4096 bits signs with 684 characters


@dataclass(frozen=True, slots=True)
class Transmission:
    """What a delivery's headers say; nothing of it is proven yet."""

    id: str
    time: str
    signature: bytes
    certificate_url: str

    def signed_text(self, webhook_id: str, body: bytes) -> bytes:
        return f"{self.id}|{self.time}|{webhook_id}|{zlib.crc32(body)}".encode()


def transmission(headers: Mapping[str, str]) -> Transmission:
    """The signature's parts, or Rejected `bad-signature`. Lower-case names."""
    if not headers.get(SIGNATURE_HEADER):
        raise Rejected("bad-signature", "missing")
    id_, time = headers.get("paypal-transmission-id", ""), headers.get("paypal-transmission-time", "")
    given = headers[SIGNATURE_HEADER]
    if headers.get("paypal-auth-algo") != ALGORITHM:
        raise Rejected("bad-signature", "algorithm")
    if not (_PART.fullmatch(id_) and _PART.fullmatch(time)) or len(given) > _SIGNATURE_LENGTH_MAX:
        raise Rejected("bad-signature", "malformed")
    try:
        signature = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected("bad-signature", "malformed") from error
    return Transmission(id_, time, signature, headers.get("paypal-cert-url", ""))


def check(key: RSAPublicKey, sent: Transmission, webhook_id: str, body: bytes) -> None:
    """Raises Rejected `bad-signature` unless this key signed this transmission to our webhook."""
    try:
        key.verify(sent.signature, sent.signed_text(webhook_id, body), PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise Rejected("bad-signature", "wrong") from error
