#!/usr/bin/env python3
"""Second implementation of record format 2, for known answers.

It was written from the package comment of crypto and shares no code with the package. It needs
only the standard library of Python 3, is slow, and must never see a real key. Run in crypto:

    python3 testdata/golden.py > testdata/golden.jsonl
"""

import hashlib
import hmac
import json
import struct


# ChaCha20 and Poly1305 (RFC 8439), HChaCha20 and XChaCha20 (draft-irtf-cfrg-xchacha-03).

def rotate(x, n):
    return (x << n | x >> (32 - n)) & 0xffffffff


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xffffffff
        s[z] = rotate(s[z] ^ s[x], n)


def chacha_rounds(state):
    s = list(state)
    for _ in range(10):
        for i in range(4):
            quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return s


CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def chacha_block(key, counter, nonce):
    state = CONSTANTS + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce)
    mixed = chacha_rounds(state)
    return struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(mixed, state)))


def hchacha(key, nonce):
    state = CONSTANTS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce)
    mixed = chacha_rounds(state)
    return struct.pack("<8I", *(mixed[:4] + mixed[12:]))


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    s = int.from_bytes(key[16:], "little")
    sum = 0
    for i in range(0, len(message), 16):
        sum = (sum + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((sum + s) % 2**128).to_bytes(16, "little")


def fill16(b):
    return b + bytes(-len(b) % 16)


def xchacha_seal(key, nonce, plain, aad):
    key, nonce = hchacha(key, nonce[:16]), bytes(4) + nonce[16:]
    out = b""
    for i in range(0, len(plain), 64):
        stream = chacha_block(key, 1 + i // 64, nonce)
        out += bytes(a ^ b for a, b in zip(plain[i:i + 64], stream))
    lengths = struct.pack("<QQ", len(aad), len(out))
    tag = poly1305(chacha_block(key, 0, nonce)[:32], fill16(aad) + fill16(out) + lengths)
    return out + tag


# AES-256 (FIPS 197) and GCM (SP 800-38D).

def times2(x):
    return (x << 1) ^ (0x11b if x & 0x80 else 0)


def multiply(x, y):
    product = 0
    while y:
        if y & 1:
            product ^= x
        x, y = times2(x), y >> 1
    return product


def make_sbox():
    box = []
    for x in range(256):
        inverse = next((y for y in range(256) if multiply(x, y) == 1), 0)
        value = 0x63
        for shift in range(5):
            value ^= (inverse << shift | inverse >> (8 - shift)) & 0xff
        box.append(value)
    return box


SBOX = make_sbox()


def aes_round_keys(key):
    words = [list(key[i:i + 4]) for i in range(0, 32, 4)]
    constant = 1
    for i in range(8, 60):
        word = words[i - 1]
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = times2(constant)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def aes_block(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for n in range(1, 15):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 14:
            mixed = []
            for c in range(0, 16, 4):
                for i in range(4):
                    a, b, d, e = (s[c + (i + j) % 4] for j in range(4))
                    mixed.append(times2(a) ^ times2(b) ^ b ^ d ^ e)
            s = mixed
        s = [a ^ b for a, b in zip(s, keys[n])]
    return bytes(s)


def ghash(h, data):
    y = 0
    for i in range(0, len(data), 16):
        x, v, z = y ^ int.from_bytes(data[i:i + 16], "big"), h, 0
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                z ^= v
            v = v >> 1 ^ (0xe1 << 120 if v & 1 else 0)
        y = z
    return y.to_bytes(16, "big")


def gcm_seal(key, nonce, plain, aad):
    keys = aes_round_keys(key)
    out = b""
    for i in range(0, len(plain), 16):
        stream = aes_block(keys, nonce + struct.pack(">I", 2 + i // 16))
        out += bytes(a ^ b for a, b in zip(plain[i:i + 16], stream))
    h = int.from_bytes(aes_block(keys, bytes(16)), "big")
    lengths = struct.pack(">QQ", 8 * len(aad), 8 * len(out))
    hash = ghash(h, fill16(aad) + fill16(out) + lengths)
    tag = bytes(a ^ b for a, b in zip(hash, aes_block(keys, nonce + b"\0\0\0\1")))
    return out + tag


SEAL = {1: xchacha_seal, 2: gcm_seal}
NONCE = {1: bytes(range(0x40, 0x58)), 2: bytes(range(0x60, 0x6c))}


# The formats.

def pae(*parts):
    parts = [p.encode() if isinstance(p, str) else p for p in parts]
    return struct.pack(">I", len(parts)) + b"".join(struct.pack(">I", len(p)) + p for p in parts)


def expand(key, info):
    """HKDF-Expand with SHA-256 (RFC 5869), for an output of 32 bytes."""
    return hmac.new(key, info + b"\1", hashlib.sha256).digest()


def seal(key, suite, number, place, plain):
    header = struct.pack(">BBI", 2, suite, number)
    parts = [place[name] for name in ("Tenant", "Record", "Kind", "Pointer")]
    if place["Extra"]:
        parts.append(place["Extra"])
    nonce = NONCE[suite]
    return header + nonce + SEAL[suite](key[:32], nonce, plain, pae("isv2", header, *parts))


def pad_text(text):
    text = text.encode()
    return text + b" " * (-len(text) % 64)


def pad_binary(content):
    content = struct.pack(">I", len(content)) + content
    return content + bytes(-len(content) % 64)


def wrap(kek, wrap_suite, key, suite, number, key_id, tenant, record):
    header = struct.pack(">BBBI", 2, wrap_suite, suite, number)
    wrapping = expand(kek, b"isk2/wrap/" + bytes([wrap_suite]))
    nonce, aad = NONCE[wrap_suite], pae("isk2", header, key_id, tenant, record)
    return header + expand(kek, b"isk2/kcv") + nonce + SEAL[wrap_suite](wrapping, nonce, key, aad)


# Check the ciphers against the vectors of their standards.
assert xchacha_seal(
    bytes(range(0x80, 0xa0)), bytes(range(0x40, 0x58)),
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it.", bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
)[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
assert aes_block(
    aes_round_keys(bytes(range(32))), bytes.fromhex("00112233445566778899aabbccddeeff"),
).hex() == "8ea2b7ca516745bfeafc49904b496089"
assert gcm_seal(bytes(32), bytes(12), bytes(16), b"").hex() == (
    "cea7403d4d606b6e074ec5d3baf39d18" "d0d1c8a799996bf0265b98b5d48ab919")


# The known answers.

def line(what, **fields):
    fields = {k: v.hex() if isinstance(v, bytes) else v for k, v in fields.items()}
    print(json.dumps({"what": what, **fields}))


KEY = bytes(range(64))
KEK = bytes(range(0x80, 0xa0))
ID = "EXI-1234-1234-0001"
TENANT = "ACC-1234-1234"

for parts in ([], [""], ["", ""], ["a"], ["a", "bc"], ["isv2", "\u00e9", "x" * 300]):
    line("pae", parts=parts, out=pae(*parts))

for kek in (KEK, bytes(range(32))):
    line("check value", kek=kek, out=expand(kek, b"isk2/kcv"))

for parts in ([], [""], ["upsert", "{}"]):
    line("fingerprint", key=KEY, parts=parts,
         out=hmac.new(KEY[32:], pae(*parts), hashlib.sha256).digest())


def place(tenant=TENANT, record=ID, kind="config", pointer="/adobe_secret", extra=""):
    return {"Tenant": tenant, "Record": record, "Kind": kind, "Pointer": pointer, "Extra": extra}


PLACES = (
    place(), place(tenant=""), place(kind="manifest", pointer=""), place(pointer="/\u00e9/~0~1"),
    place(record="", kind="outcome", pointer="digest", extra="2026-03-02T10:00:00Z"),
)

for suite in (1, 2):
    for at in PLACES:
        for number in (1, 0x01020304):
            text = '"s3cr3t"'
            line("text", suite=suite, number=number, key=KEY, nonce=NONCE[suite], place=at,
                 text=text, out=seal(KEY, suite, number, at, pad_text(text)))
    for text in ('"' + "x" * 61 + '"', '"' + "x" * 62 + '"', '"' + "x" * 63 + '"', '"\u00e9"'):
        line("text", suite=suite, number=1, key=KEY, nonce=NONCE[suite], place=PLACES[0],
             text=text, out=seal(KEY, suite, 1, PLACES[0], pad_text(text)))
    for size in (0, 1, 59, 60, 61, 124, 125):
        content = bytes((0xf0 + i) % 256 for i in range(size))
        line("binary", suite=suite, number=1, key=KEY, nonce=NONCE[suite], place=PLACES[0],
             content=content, out=seal(KEY, suite, 1, PLACES[0], pad_binary(content)))

for wrap_suite in (1, 2):
    for suite in (1, 2):
        for number, tenant, record in ((1, TENANT, ID), (0x01020304, TENANT, ID), (1, "", "")):
            line("wrapped", kek=KEK, key_id="k1", wrap_suite=wrap_suite, nonce=NONCE[wrap_suite],
                 key=KEY, suite=suite, number=number, tenant=tenant, record=record,
                 out=wrap(KEK, wrap_suite, KEY, suite, number, "k1", tenant, record))

for suite in (1, 2):
    for number in (1, 0x01020304):
        header = struct.pack(">BBBI", 2, 128, suite, number)
        blob = b"opaque"
        line("kms", key_id="kms1", key=KEY, suite=suite, number=number, tenant=TENANT, record=ID,
             blob=blob, context=pae("isk2", header, "kms1", TENANT, ID),
             out=header + struct.pack(">H", len(blob)) + blob)
