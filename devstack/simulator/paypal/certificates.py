"""The chain that signs webhooks: a root, an authority below it and a signing certificate, kept on disk."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "messageverificationcerts.paypal.com"
LIFETIME = timedelta(days=365)
PATH = "/v1/notifications/certs/"

Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


class Certificates:
    """Signs, and says where its certificate is. A restart goes on with the same files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: rsa.RSAPrivateKey | None = None
        self.pem = b""
        self.path = ""

    def start(self) -> None:
        """Reads the files, or makes them: `root.pem` is what a verifier has to trust."""
        self._folder.mkdir(parents=True, exist_ok=True)
        signing, chain = self._folder / "signing.key", self._folder / "chain.pem"
        if not signing.exists() or _expired(chain.read_bytes()):
            root, key, pem = _issue()
            (self._folder / "root.pem").write_bytes(root)
            chain.write_bytes(pem)
            signing.touch(mode=0o600)
            signing.write_bytes(key)  # last: with it the others are there
        loaded = load_pem_private_key(signing.read_bytes(), None)
        assert isinstance(loaded, rsa.RSAPrivateKey)  # noqa: S101  # we wrote it
        self._key = loaded
        self.pem = chain.read_bytes()
        serial = x509.load_pem_x509_certificate(self.pem).serial_number
        self.path = f"{PATH}CERT-360caa42-{serial & 0xFFFFFFFF:08x}"

    def sign(self, text: bytes) -> str:
        """RSA PKCS#1 v1.5 with SHA-256, base64 (PayPal docs, Webhooks, Verify)."""
        assert self._key is not None  # noqa: S101  # start() ran before the first webhook
        return base64.b64encode(self._key.sign(text, PKCS1v15(), hashes.SHA256())).decode()


def _expired(pem: bytes) -> bool:
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc <= datetime.now(UTC)


def _issue() -> tuple[bytes, bytes, bytes]:
    """(root, signing key, chain without the root), all PEM."""
    root = _authority("Simulated Root", None)
    between = _authority("Simulated Server CA", root)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "PayPal, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, HOST),
        ]
    )
    leaf = (
        _builder(name, between[0].subject)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_known_by(between), critical=False)
        .sign(between[1], hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = leaf.public_bytes(Encoding.PEM) + between[0].public_bytes(Encoding.PEM)
    return root[0].public_bytes(Encoding.PEM), secret, chain


def _authority(common_name: str, issuer: Authority | None) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is not None:
        builder = builder.add_extension(_known_by(issuer), critical=False)
    return builder.sign(key if issuer is None else issuer[1], hashes.SHA256()), key


def _builder(name: x509.Name, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
    )


def _known_by(issuer: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
