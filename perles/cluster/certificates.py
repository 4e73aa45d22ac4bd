"""The certificates of connections to a cluster: those of the configuration, or made for a start."""

from __future__ import annotations

import datetime
import os
import ssl
from typing import Any, Final

from perles.cluster.libraries import module
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError

EARLIER: Final = datetime.timedelta(days=2)
"""How long before now a certificate is good: the clock of a machine may be wrong."""
VALID: Final = datetime.timedelta(days=3650)
ROLES: Final = ("client", "scheduler", "worker")


def security(settings: Cluster) -> Any:
    """The certificates that the configuration names; None for none. Raises `ClusterError`."""
    given = {"ca": settings.ca, "certificate": settings.certificate, "key": settings.key}
    files = {name: os.path.expanduser(path) for name, path in given.items() if path}
    if not files:
        return None
    for name, path in files.items():
        if not os.access(path, os.R_OK):
            raise ClusterError(f"cannot read {path}, which cluster.{name} names for TLS")
    _check(files)
    return _made(files["ca"], files["certificate"], files["key"])


def _check(files: dict[str, str]) -> None:
    """Refuse what is no certificate. Raises `ClusterError`."""
    missing = [name for name in ("ca", "certificate", "key") if name not in files]
    if missing:
        raise ClusterError(f"cannot use TLS without cluster.{missing[0]}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(files["ca"])
    except (ssl.SSLError, OSError) as error:
        raise ClusterError(f"cannot use cluster.ca: {files['ca']} has no certificate") from error
    try:
        context.load_cert_chain(files["certificate"], files["key"], password="")
    except (ssl.SSLError, OSError) as error:
        raise ClusterError(
            f"cannot use cluster.certificate {files['certificate']} with cluster.key "
            f"{files['key']}: they are no pair in PEM, or the key has a password"
        ) from error


def temporary() -> Any:
    """Certificates that only the processes of one cluster have. Raises `ClusterError`."""
    x509 = module("cryptography.x509")
    ec = module("cryptography.hazmat.primitives.asymmetric.ec")
    hashes = module("cryptography.hazmat.primitives.hashes")
    forms = module("cryptography.hazmat.primitives.serialization")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "perles")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - EARLIER).not_valid_after(now + VALID)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(forms.Encoding.PEM).decode()
    private = key.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()
    ).decode()
    return _made(certificate, certificate, private)


def _made(ca: str, certificate: str, key: str) -> Any:
    """For all parts of a cluster; each of the three is a path, or the text of such a file."""
    parts = {f"tls_{role}_cert": certificate for role in ROLES}
    parts |= {f"tls_{role}_key": key for role in ROLES}
    return module("distributed").Security(require_encryption=True, tls_ca_file=ca, **parts)


def environ_of(security: Any) -> dict[str, str]:
    """The environment that gives Dask on another machine these certificates, not their paths."""
    names = [f"tls_{role}_{kind}" for role in ROLES for kind in ("cert", "key")]
    found = {"TLS__CA_FILE": security.tls_ca_file}
    found |= {name.upper().replace("_", "__"): getattr(security, name) for name in names}
    environ = {f"DASK_DISTRIBUTED__COMM__{name}": _text(value) for name, value in found.items()}
    return environ | {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}


def _text(given: str) -> str:
    """A certificate or a key that is given as text, or by the path of its file."""
    if "\n" in given:
        return given
    with open(given, encoding="ascii") as file:  # noqa: PTH123 - a path of the configuration
        return file.read()
