"""Two stores around another one: one keeps a checksum in each file, one encrypts."""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from asflow.stores import ClaimWrapper, StoreWrapper

if TYPE_CHECKING:
    from asflow.protocols import Claim, OutputInfo, Store

SIZE = hashlib.sha256().digest_size


class Info(NamedTuple):
    size: int
    modified: float


def _shorter(info: OutputInfo | None, by: int) -> Info | None:
    return None if info is None else Info(info.size - by, info.modified)


class ChecksummingStore(StoreWrapper):
    """Ends each file with the SHA-256 of what is before it, and checks it when the file is opened."""

    def wrap(self, claim: Claim, name: str, failure: str, /) -> Claim:
        return _Summing(claim)

    def open(self, name: str, /) -> BinaryIO:
        with self.store.open(name) as file:
            data = file.read()
        content, digest = data[:-SIZE], data[-SIZE:]
        if hashlib.sha256(content).digest() != digest:
            raise OSError(f"the checksum of {name} is wrong")
        return io.BytesIO(content)

    def info(self, name: str, /) -> Info | None:
        return _shorter(self.store.info(name), SIZE)


class _Summing(ClaimWrapper):
    def __init__(self, claim: Claim) -> None:
        super().__init__(claim)
        self.hash = hashlib.sha256()
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        self.hash.update(data)
        return super().write(data)

    def publish(self) -> int | None:
        if not self.ended:
            super().write(self.hash.digest())
            self.ended = True
        return super().publish()

    def abort(self) -> int | None:
        self.ended = True
        return super().abort()

    def fail(self, report: bytes, /) -> int | None:
        self.ended = True
        return super().fail(report + hashlib.sha256(report).digest())


class EncryptingStore(StoreWrapper):
    """Encrypts with AES in counter mode. There is no authentication: put it around a ChecksummingStore."""

    def __init__(self, store: Store, key: bytes) -> None:
        super().__init__(store)
        self.key = key

    path = url = None  # the file is not what was written

    def cipher(self, nonce: bytes) -> Cipher[modes.CTR]:
        return Cipher(algorithms.AES(self.key), modes.CTR(nonce))

    def wrap(self, claim: Claim, name: str, failure: str, /) -> Claim:
        return _Encrypting(claim, self)

    def open(self, name: str, /) -> BinaryIO:
        with self.store.open(name) as file:
            nonce, data = file.read(16), file.read()
        return io.BytesIO(self.cipher(nonce).decryptor().update(data))

    def info(self, name: str, /) -> Info | None:
        return _shorter(self.store.info(name), 16)


class _Encrypting(ClaimWrapper):
    def __init__(self, claim: Claim, store: EncryptingStore) -> None:
        super().__init__(claim)
        self.nonce = os.urandom(16)
        self.store = store
        self.encryptor = store.cipher(self.nonce).encryptor()
        claim.write(self.nonce)

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        return super().write(self.encryptor.update(bytes(data)))

    def fail(self, report: bytes, /) -> int | None:
        nonce = os.urandom(16)
        return super().fail(nonce + self.store.cipher(nonce).encryptor().update(report))
