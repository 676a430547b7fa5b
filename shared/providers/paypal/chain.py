"""Whether a certificate is PayPal's: its chain up to a root we trust, its time, and its name."""

import ssl
import warnings
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from shared.errors import Rejected

NAME = ".paypal.com"  # `messageverificationcerts.paypal.com`, or `….sandbox.paypal.com`
CHAIN_MAX = 6  # certificates in one answer; DigiCert sends two or three


def roots(authorities: str | None) -> Store:
    """The roots in a PEM file, or this machine's own. Raises OSError or ValueError at start."""
    if authorities is not None:
        return Store(x509.load_pem_x509_certificates(Path(authorities).read_bytes()))
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return Store([root for der in found if (root := _root(der)) is not None])


def _root(der: bytes) -> x509.Certificate | None:
    """Some old roots in the machines' lists are not written as today's rules want: they are left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return x509.load_der_x509_certificate(der)
        except ValueError:
            return None


def signing_key(pem: bytes, trusted: Store, now: datetime) -> tuple[RSAPublicKey, datetime]:
    """The key of PayPal's certificate and when its chain ends, or Rejected `bad-signature`."""
    try:
        leaf, *others = x509.load_pem_x509_certificates(pem)
        if len(others) >= CHAIN_MAX:
            raise Rejected("bad-signature", "certificate")
        verifier = PolicyBuilder().store(trusted).time(_naive(now)).build_server_verifier(_name(leaf))
        chain = verifier.verify(leaf, others)
        key = leaf.public_key()
    except (ValueError, VerificationError, x509.ExtensionNotFound) as error:
        raise Rejected("bad-signature", "certificate") from error
    if not isinstance(key, RSAPublicKey):
        raise Rejected("bad-signature", "certificate")
    return key, min(each.not_valid_after_utc for each in chain)


def _name(leaf: x509.Certificate) -> x509.DNSName:
    """The first of the certificate's names that is PayPal's; the verifier then holds it to that name."""
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    for name in names.get_values_for_type(x509.DNSName):
        if name.endswith(NAME) and not name.startswith("*"):
            return x509.DNSName(name)
    raise Rejected("bad-signature", "certificate")


def _naive(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(tzinfo=None)
