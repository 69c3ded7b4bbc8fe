"""A certificate authority for the length of a cluster's life."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LASTS: Final = datetime.timedelta(days=2)


@dataclass(frozen=True)
class Pair:
    """Files in PEM."""

    certificate: Path
    key: Path


class Authority:
    """Signs for one cluster. All files are in ``folder``, keys with mode 0600."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test-cluster", ())
        own = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self.certificate = folder / "ca.crt"
        self.certificate.write_bytes(_pem(own.sign(self._key, hashes.SHA256())))

    def server(self, file: str, *names: str) -> Pair:
        """For a server that is asked by ``names``: addresses, or names of DNS."""
        return self._signed(f"{file}-serving", _name(file, ()), ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, user: str, *groups: str) -> Pair:
        """For a client that the API server takes for ``user`` of ``groups``."""
        return self._signed(user.replace(":", "-"), _name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def signing_key(self, file: str) -> Path:
        """A key by itself."""
        return self._written(file, ec.generate_private_key(ec.SECP256R1()))

    def _signed(self, file: str, subject: x509.Name, use: x509.ObjectIdentifier, names: tuple[str, ...]) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        built = self._builder(subject, key).add_extension(x509.ExtendedKeyUsage([use]), False)
        if names:
            built = built.add_extension(x509.SubjectAlternativeName([_other_name(name) for name in names]), False)
        certificate = self._folder / f"{file}.crt"
        certificate.write_bytes(_pem(built.sign(self._key, hashes.SHA256())))
        return Pair(certificate, self._written(file, key))

    def _written(self, file: str, key: ec.EllipticCurvePrivateKey) -> Path:
        path = self._folder / f"{file}.key"
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            written.write(text)
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + _LASTS)
        )


def _name(common: str, groups: tuple[str, ...]) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _other_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
