"""natskeys.py - keys and JWTs as NATS' own tools make them, signed by openssl."""
import base64
import binascii
import json
import os
import subprocess

KINDS = {"U": 20 << 3, "A": 0, "O": 14 << 3}
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # before the seed of an Ed25519 key


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def text_of(data):
    return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).rstrip(b"=").decode()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


class Key:
    """Of a user, an account or an operator."""

    def __init__(self, folder, kind):
        seed = os.urandom(32)
        self.path = os.path.join(folder, "%s-%s.der" % (kind, seed[:4].hex()))
        with open(self.path, "wb") as f:
            f.write(PKCS8 + seed)
        public = openssl("pkey", "-inform", "DER", "-in", self.path, "-pubout", "-outform", "DER")[-32:]
        prefix = KINDS[kind]
        self.public = text_of(bytes([prefix]) + public)
        self.seed = text_of(bytes([18 << 3 | prefix >> 5, (prefix & 31) << 3]) + seed)

    def sign(self, data):
        path = self.path + ".data"
        with open(path, "wb") as f:
            f.write(data)
        return openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", self.path, "-in", path)

    def jwt(self, subject, name, claims):
        """A JWT about `subject`, signed by this key."""
        body = {"jti": name, "iat": 1700000000, "iss": self.public, "name": name, "sub": subject.public, "nats": dict(claims, version=2)}
        text = "%s.%s" % tuple(url64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body))
        return text + "." + url64(self.sign(text.encode()))

    def login(self, jwt=None):
        """What a client says who has this key."""
        def answer(nonce):
            return dict({"jwt": jwt} if jwt else {"nkey": self.public}, sig=url64(self.sign(nonce.encode())))
        return answer


class Operator:
    """A server's settings for users that have JWTs, and one such user."""

    def __init__(self, folder):
        self.operator, self.account, self.user = Key(folder, "O"), Key(folder, "A"), Key(folder, "U")
        system = Key(folder, "A")
        limits = dict.fromkeys(["subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage", "streams",
                                "consumer"], -1)
        claims = {"type": "account", "limits": dict(limits, wildcards=True)}
        no_store = {"type": "account", "limits": dict(limits, wildcards=True, mem_storage=0, disk_storage=0)}
        preload = "%s: %s, %s: %s" % (self.account.public, self.operator.jwt(self.account, "account", claims),
                                      system.public, self.operator.jwt(system, "system", no_store))
        self.settings = ["operator: " + self.operator.jwt(self.operator, "operator", {"type": "operator"}), "resolver: MEMORY",
                         "system_account: " + system.public, "resolver_preload: { %s }" % preload]
        self.user_jwt = self.jwt_for(self.user)

    def jwt_for(self, user):
        return self.account.jwt(user, "user", {"type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1})


def creds(jwt, user):
    """The file that `nsc generate creds` writes."""
    return ("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\n"
            "NKEY Seed printed below can be used to sign and prove identity.\nNKEYs are sensitive and should be treated as secrets.\n\n"
            "-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n\n"
            "*************************************************************\n" % (jwt, user.seed))
