#!/usr/bin/env python3
"""Our envelopes in programs that are not ours: securesystemslib for signatures (Ed25519 and ML-DSA-65), in-toto-attestation for
payloads. Keys come from the published key file, and nothing is believed that does not go back to the anchor.

    check KEYS ANCHOR PROOF...   every envelope of all files verifies: the issuer's and root holders' with both keys (threshold 2),
                                 an agent's with its own (threshold 1). Then each is altered, and has to be refused.
    sign PROOF OUT               signs every payload of the proof anew, with securesystemslib and the vectors' fixed keys. OUT gets
                                 those envelopes that differ then: all with an ML-DSA signature

Ends with one line that says what was done. Anything unexpected ends it with a traceback.
"""

import base64
import copy
import hashlib
import importlib.metadata
import json
import sys

from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

TYPES = "https://w3id.org/gallra/"
ISSUERS = {"request", "plan", "copy-set", "notification", "proof", "key-event"}
ROOTS = {"key-manifest", "log-succession"}
AGENTS = {"receipt", "absence", "recheck", "copy-expiry", "restore"}
# The vectors' keys (crates/proof/tests/support/keys.rs): 32 times this byte is the seed.
PAIR_SEEDS, AGENT_SEEDS = (1, 11), (2, 3, 4)


def read(path):
    """A file as JSON, which this program could write again byte by byte."""
    with open(path, "rb") as file:
        text = file.read()
    value = json.loads(text)
    assert spelled(value) == text, f"{path} is spelled in another way"
    return value


def spelled(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def payload_of(envelope):
    return base64.b64decode(envelope["payload"], validate=True)


def envelopes(value):
    """Every envelope anywhere in a file."""
    if isinstance(value, dict) and "payloadType" in value:
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from envelopes(part)


def keys_of(file, anchor):
    """The keys of the anchor's manifest and of what was enrolled since, as (role, actor, key)."""
    first = payload_of(file["manifests"][0]["envelope"])
    assert "sha256:" + hashlib.sha256(first).hexdigest() == anchor.strip(), "the key file does not begin with the anchor"
    assert len(file["manifests"]) == 1, "who may follow whom is not asked here"
    listed = json.loads(first)["predicate"]["keys"]
    events = [json.loads(payload_of(event["envelope"]))["predicate"] for event in file["events"]]
    keys = []
    for entry in listed + [event for event in events if event["what"] == "enrolled"]:
        der = base64.b64decode(entry["spki"], validate=True)
        assert hashlib.sha256(der).hexdigest() == entry["keyid"]
        key = SSlibKey.from_crypto(load_der_public_key(der), keyid=entry["keyid"])
        assert key.scheme == entry["algorithm"], f"{key.scheme} is not {entry['algorithm']}"
        keys.append((entry["role"], entry.get("actor"), key))
    return keys


def who(statement, keys):
    """The keys that may sign a statement, and how many of them must."""
    name = statement["predicateType"].removeprefix(TYPES).removesuffix("/v1")
    if name in AGENTS:
        agent = statement["predicate"]["agent"]
        return [key for role, actor, key in keys if (role, actor) == ("agent", agent)], 1
    role = "issuer" if name in ISSUERS else "root"
    assert name in ISSUERS | ROOTS, name
    return [key for has, _, key in keys if has == role], 2


def accepts(envelope, keys, threshold):
    """Whether securesystemslib does. It changes the dictionary that it is given, so it gets a copy."""
    try:
        found = Envelope.from_dict(copy.deepcopy(envelope)).verify(keys, threshold)
    except VerificationError:
        return False
    return len(found) == threshold


def in_toto(payload):
    """Parsed and validated by in-toto-attestation, which has to see all that a JSON parser sees."""
    message = json_format.Parse(payload, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    assert json_format.MessageToDict(message) == json.loads(payload)


def in_toto_refuses(statement):
    try:
        in_toto(json.dumps(statement).encode())
    except (ValueError, json_format.ParseError):
        return True
    return False


def altered(envelope, other):
    """Copies with something wrong. `other` is another envelope with signatures by the same keys."""
    payload = payload_of(envelope)
    for at in sorted({0, len(payload) // 3, len(payload) // 2, len(payload) - 1}):
        flipped = bytearray(payload)
        flipped[at] ^= 1
        yield "a flipped byte of the payload", envelope | {"payload": base64.b64encode(flipped).decode()}
    yield "another type", envelope | {"payloadType": "application/json"}
    signatures = envelope["signatures"]
    for at, signature in enumerate(signatures):
        rest = signatures[:at] + signatures[at + 1 :]
        yield "a removed signature", envelope | {"signatures": rest}
        flipped = bytearray(base64.b64decode(signature["sig"]))
        flipped[len(flipped) // 2] ^= 1
        wrong = [{"keyid": signature["keyid"], "sig": base64.b64encode(flipped).decode()}, other["signatures"][at]]
        for instead in wrong:
            assert instead["keyid"] == signature["keyid"] and instead != signature
            yield "a flipped or foreign signature", envelope | {"signatures": rest + [instead]}
    if len(signatures) == 2:
        one, two = signatures
        swapped = [{"keyid": one["keyid"], "sig": two["sig"]}, {"keyid": two["keyid"], "sig": one["sig"]}]
        yield "two swapped signatures", envelope | {"signatures": swapped}
        yield "a signature twice, under both ids", envelope | {"signatures": [one, one | {"keyid": two["keyid"]}]}


def signers(envelope):
    return [signature["keyid"] for signature in envelope["signatures"]]


def check(keys, paths):
    all_envelopes = [envelope for path in paths for envelope in envelopes(read(path))]
    refused = 0
    for envelope in all_envelopes:
        payload = payload_of(envelope)
        statement = json.loads(payload)
        may, threshold = who(statement, keys)
        assert len(signers(envelope)) == threshold
        assert accepts(envelope, may, threshold), statement["predicateType"]
        in_toto(payload)
        assert not in_toto_refuses(statement), "another spelling is nothing to it"
        for wrong in [{"_type": "x"}, {"subject": []}, {"subject": [{"name": "a"}]}, {"predicateType": ""}, {"more": 1}]:
            assert in_toto_refuses(statement | wrong), wrong
        other = another(envelope, all_envelopes)
        for what, wrong in altered(envelope, other):
            assert not accepts(wrong, may, threshold), f"{what} was accepted: {statement['predicateType']}"
            refused += 1
        strangers = [key for _, _, key in keys if key.keyid not in signers(envelope)]
        assert not accepts(envelope, strangers, 1), "keys that did not sign"
    both = sum(len(envelope["signatures"]) == 2 for envelope in all_envelopes)
    print(f"{len(all_envelopes)} envelopes verify, {both} with both algorithms, and {refused} altered ones are refused, by {versions()}")


def another(envelope, among):
    """Another statement with signatures under the same key ids."""
    others = [other for other in among if other["payload"] != envelope["payload"]]
    for other in others:
        if signers(other) == signers(envelope):
            return other
    # The root holders' keys signed one manifest and nothing else, so that the issuer's signatures have to do.
    other = next(other for other in others if len(signers(other)) == len(signers(envelope)))
    pairs = zip(other["signatures"], signers(envelope), strict=True)
    return other | {"signatures": [signature | {"keyid": keyid} for signature, keyid in pairs]}


def signers_of_vectors():
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in PAIR_SEEDS + AGENT_SEEDS]
    keys += [MLDSA65PrivateKey.from_seed_bytes(bytes([seed]) * 32) for seed in PAIR_SEEDS]
    found = {}
    for key in keys:
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        keyid = hashlib.sha256(der).hexdigest()
        found[keyid] = CryptoSigner(key, SSlibKey.from_crypto(key.public_key(), keyid=keyid))
    return found


def sign(proof, out):
    known = signers_of_vectors()
    made = []
    for ours in envelopes(read(proof)):
        theirs = Envelope(payload_of(ours), ours["payloadType"], {})
        for keyid in signers(ours):
            theirs.sign(known[keyid])
        written = theirs.to_dict()
        assert written["payload"] == ours["payload"]
        for one, other in zip(ours["signatures"], written["signatures"], strict=True):
            # Ed25519 has one signature for one message. ML-DSA is hedged with randomness.
            fixed = known[one["keyid"]].public_key.scheme == "ed25519"
            assert list(other) == ["keyid", "sig"] and (one == other) == fixed
        if written != ours:
            made.append(written)
    with open(out, "wb") as file:
        file.write(spelled({"envelopes": made}))
    print(f"{len(made)} envelopes signed with both algorithms by {versions()}")


def versions():
    names = ("securesystemslib", "cryptography", "in-toto-attestation")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names) + f" ({backend.openssl_version_text()})"


def main(arguments):
    match arguments:
        case ["check", key_file, anchor, *proofs] if proofs:
            with open(anchor, encoding="ascii") as file:
                keys = keys_of(read(key_file), file.read())
            check(keys, [key_file, *proofs])
        case ["sign", proof, out]:
            sign(proof, out)
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
