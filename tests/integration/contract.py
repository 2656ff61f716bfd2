"""contract - holds live answers against api/openapi.json: status, content type, and the body's schema."""
import json
import os
import re

SRCDIR = os.environ.get("GUTS_SRCDIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
         "null": type(None)}


class Contract:
    def __init__(self):
        with open(os.path.join(SRCDIR, "api", "openapi.json")) as f:
            self.doc = json.load(f)
        self.paths = []
        self.used = set()
        for path, item in self.doc["paths"].items():
            # an id may stand for owner and name
            tail = r"(?:.+)" if path.endswith(("{path}", "{branch}", "{basehead}", "{tag}", "{archive}", "{ref}")) else None
            parts = []
            for seg in path.strip("/").split("/"):
                parts.append(r"(?!bafkrei[a-z2-7]{52}(/|$))[^/]+" if seg == "{owner}" else
                             r"[^/]+" if seg.startswith("{") else re.escape(seg))
            if tail:
                parts[-1] = tail
            text = "/" + "/".join(parts)
            self.paths.append((re.compile(text + "$"), path, item))
            if "{owner}/{name}" in path:
                short = text.replace(parts[3] + "/" + parts[4], "bafkrei[a-z2-7]{52}")
                self.paths.append((re.compile(short + "$"), path, item))
        self.paths.sort(key=lambda p: p[1].count("{"))

    def ref(self, node):
        while "$ref" in node:
            out = self.doc
            for part in node["$ref"][2:].split("/"):
                out = out[part]
            node = dict(out, **{k: v for k, v in node.items() if k != "$ref"})
        return node

    def check(self, method, path, answer):
        """Raises AssertionError if the answer is not as promised."""
        verb = "get" if method == "HEAD" else method.lower()
        plain = path.split("?")[0].rstrip("/") or "/"
        for pattern, name, item in self.paths:
            if pattern.match(plain) and verb in item:
                break
        else:
            assert answer.status in (400, 404, 405, 414), "%s %s is not in the contract, and gave %d" % (method, plain, answer.status)
            return
        op = item[verb]
        self.used.add((verb, name))
        status = str(answer.status)
        promised = op["responses"].get(status) or op["responses"].get(status[0] + "XX")
        assert promised, "%s %s: status %s is not promised" % (method, name, status)
        content = self.ref(promised).get("content")
        if not content or not answer.data:
            assert not answer.data or method == "HEAD", "%s %s: a body where none is promised" % (method, name)
            return
        kind = answer.headers["content-type"].split(";")[0]
        assert kind in content, "%s %s: content type %s is not promised" % (method, name, kind)
        if "json" in kind:
            self.value(json.loads(answer.data), content[kind]["schema"], "%s %s" % (method, name))

    def fits(self, v, schema, at):
        try:
            self.value(v, schema, at)
        except AssertionError:
            return False
        return True

    def value(self, v, schema, at):
        schema = self.ref(schema)
        for part in schema.get("allOf", ()):
            self.value(v, part, at)
        for kind in "oneOf", "anyOf":
            fits = sum(self.fits(v, part, at) for part in schema.get(kind, ()))
            assert kind not in schema or fits == 1 or (fits and kind == "anyOf"), "%s: %r fits %d of the schemas" % (at, v, fits)
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            good = any(isinstance(v, TYPES[n]) and not (isinstance(v, bool) and n in ("integer", "number")) for n in names)
            assert good, "%s: %r is no %s" % (at, v, "/".join(names))
        if "enum" in schema:
            assert v in schema["enum"], "%s: %r is not one of %s" % (at, v, schema["enum"])
        if isinstance(v, str) and "pattern" in schema:
            assert re.search(schema["pattern"], v), "%s: %r does not match %s" % (at, v, schema["pattern"])
        if isinstance(v, str) and schema.get("format") == "date-time":
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", v), "%s: %r is no time" % (at, v)
        if isinstance(v, dict):
            for key in schema.get("required", ()):
                assert key in v, "%s: %s is missing" % (at, key)
            for key, sub in schema.get("properties", {}).items():
                if key in v:
                    self.value(v[key], sub, at + "/" + key)
        if isinstance(v, list) and "items" in schema:
            for i, e in enumerate(v):
                self.value(e, schema["items"], "%s/%d" % (at, i))

    def unused(self):
        return sorted({"%s %s" % (m, p) for _, p, item in self.paths for m in item
                      if m in ("get", "put", "post", "patch", "delete") and (m, p) not in self.used})
