#!/usr/bin/python3
"""mail.py - a webhook receiver that mails, or says in a chat, what became of a commit.

	guts config set bridge.allow loopback          (or private: where the receiver is, as the node sees it)
	openssl rand -hex 20 >secret
	guts hook add http://127.0.0.1:8025/ --event status --secret-file secret --repo OWNER/NAME     (without --repo: of all)
	MAIL_TO=team@example.org mail.py --secret-file secret

	MAIL_TO, MAIL_FROM   whom to tell, and as who; several with commas
	SMTP                 HOST:PORT of the mail server (default localhost:25)
	CHAT_URL             an incoming webhook of Slack, Mattermost or Rocket.Chat: gets {"text": ...}; with or instead of mail
	STATES               what is told (default failure,error)
	LISTEN               where it listens (default 127.0.0.1:8025)

Only what the secret signs is believed, within five minutes (Standard Webhooks); the node calls `status` for results that count.  An answer of 2xx means that all was
handed on; otherwise the node tries again, for a day.  A delivery that was handed on is not handed on twice.
"""
import argparse
import base64
import collections
import email.message
import email.utils
import hashlib
import hmac
import http.server
import json
import os
import smtplib
import time
import urllib.request

BODY_MAX = 4 << 20
REMEMBERED = 10000  # deliveries
AGE_MAX = 300  # [s] of a signature
TIMEOUT = 4  # [s] of the mail server and the chat; the node waits 10 s, then tries again


def address(text, port):
    host, _, given = text.rpartition(":") if ":" in text else (text, "", port)
    return host, int(given)


def one_line(text):
    return " ".join(str(text).split())


def message(body):
    """(subject, text) of a status payload."""
    commit = body.get("commit") or {}
    title = ((commit.get("commit") or {}).get("message") or "").split("\n")[0]
    repository = body["repository"]
    subject = "%s: %s of %s in %s" % (body["state"], body["context"], body["sha"][:10], repository["name"])
    lines = [one_line(subject), title, body.get("description"), body.get("target_url"), repository["html_url"] + "/commit/" + body["sha"],
             "signed by " + body["sender"]["login"]]
    return one_line(subject), "\n".join(one_line(x) for x in lines if x) + "\n"


def send_mail(subject, text, delivery):
    mail = email.message.EmailMessage()
    mail["Subject"], mail["To"] = subject, os.environ["MAIL_TO"]
    mail["From"] = os.environ.get("MAIL_FROM", "guts@localhost")
    mail["Date"] = email.utils.formatdate()
    mail["Message-ID"] = "<%s@guts>" % delivery
    mail.set_content(text)
    with smtplib.SMTP(*address(os.environ.get("SMTP", "localhost"), 25), timeout=TIMEOUT) as server:
        server.send_message(mail)


def send_chat(text):
    data = json.dumps({"text": text}).encode()
    request = urllib.request.Request(os.environ["CHAT_URL"], data, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=TIMEOUT).close()


class Handler(http.server.BaseHTTPRequestHandler):
    secret = b""
    done = collections.OrderedDict()  # (delivery, where) that was handed on
    states = set(os.environ.get("STATES", "failure,error").split(","))
    timeout = TIMEOUT

    def is_signed(self, body):
        """Does the secret sign this body with its id, now?"""
        name, when, signatures = (self.headers.get("webhook-" + x, "") for x in ("id", "timestamp", "signature"))
        if not when.isdigit() or abs(int(when) - time.time()) > AGE_MAX:
            return False
        signed = b"%s.%s.%s" % (name.encode(), when.encode(), body)
        want = b"v1," + base64.b64encode(hmac.new(self.secret, signed, hashlib.sha256).digest())
        return any(hmac.compare_digest(want, x.encode()) for x in signatures.split())

    def hand_on(self, delivery, subject, text):
        for where, send in ("CHAT_URL", lambda: send_chat(text)), ("MAIL_TO", lambda: send_mail(subject, text, delivery)):
            if os.environ.get(where) and (delivery, where) not in self.done:
                send()
                self.done[delivery, where] = True
        while len(self.done) > REMEMBERED:
            self.done.popitem(last=False)

    def verdict(self):
        """(status, text) of the answer."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_MAX:
            return 413, "too large"
        body = self.rfile.read(int(length))
        if not self.is_signed(body):
            return 403, "not signed with the secret"
        if self.headers.get("X-GitHub-Event") != "status":
            return 200, "nothing to tell"
        try:
            status = json.loads(body)
            if status["state"] not in self.states:
                return 200, "nothing to tell"
            subject, text = message(status)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            return 400, "not a status: %r" % e
        try:
            self.hand_on(self.headers["webhook-id"], subject, text)
        except (OSError, smtplib.SMTPException) as e:
            self.log_error("%s", e)
            return 502, "could not be handed on"
        return 200, "told"

    def do_POST(self):
        status, text = self.verdict()
        data = text.encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--secret-file", required=True)
    with open(parser.parse_args().secret_file) as f:
        secret = f.readline().rstrip("\r\n")
    Handler.secret = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    if not Handler.secret or not (os.environ.get("MAIL_TO") or os.environ.get("CHAT_URL")):
        parser.error("a secret, and MAIL_TO or CHAT_URL")
    http.server.HTTPServer(address(os.environ.get("LISTEN", "127.0.0.1:8025"), 8025), Handler).serve_forever()


if __name__ == "__main__":
    main()
