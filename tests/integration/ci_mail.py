"""ci_mail.py - examples/ci/mail.py: the node's `status` webhook becomes a mail, through a real SMTP server, and a line in a chat."""
import base64
import email
import email.policy
import hashlib
import hmac
import json
import os
import subprocess
import time

from cilib import CI, answers, running
from gutslib import Tap, commit, free_port, git, request, wait_for, work_tree
from hooklib import ALLOW, Receiver

PYTHON = "/usr/bin/python3"  # Debian's, which sees python3-aiosmtpd
SECRET = "whsec_" + base64.b64encode(b"between node and mailer").decode()


def smtp(port, folder):
    """Debian's aiosmtpd, which puts what it gets into a maildir."""
    return running(PYTHON, "-m", "aiosmtpd", "-n", "-l", "127.0.0.1:%d" % port, "-c", "aiosmtpd.handlers.Mailbox", folder)


def mails(folder):
    new = os.path.join(folder, "new")
    out = []
    for name in os.listdir(new) if os.path.isdir(new) else []:
        with open(os.path.join(new, name), "rb") as f:
            out.append(email.message_from_binary_file(f, policy=email.policy.default))
    return out


def deliver(url, body, key=b"between node and mailer", age=0, signed_id="m1", **headers):
    """What somebody else sends; its verdict."""
    when = str(int(time.time()) - age)
    signature = base64.b64encode(hmac.new(key, b"%s.%s.%s" % (signed_id.encode(), when.encode(), body), hashlib.sha256).digest()).decode()
    head = {"webhook-id": "m1", "webhook-timestamp": when, "webhook-signature": "v1," + signature, "X-GitHub-Event": "status"}
    return request(url, "POST", "/", body, dict(head, **headers)).status


def main(tap, net):
    box, secret = net.path("maildir"), net.path("secret")
    with open(secret, "w") as f:
        f.write(SECRET + "\n")
    chat = Receiver()
    smtp_port, port = free_port(), free_port()
    url = "http://127.0.0.1:%d" % port
    env = dict(os.environ, MAIL_TO="team@example.org, boss@example.org", MAIL_FROM="ci@example.org", SMTP="127.0.0.1:%d" % smtp_port,
               CHAT_URL=chat.url("/chat"), LISTEN="127.0.0.1:%d" % port)
    a = net.node("A", args=ALLOW + ["--set", "bridge.retry=100ms"])
    repo = a.create("demo")
    work = work_tree(net.path("work"))
    tip = commit(work, "Räder\n\nmore of it", {"x": "x"})
    git("push", "-q", a.git_url(repo), "main", cwd=work)
    a.cli("hook", "add", url + "/", "--event", "status", "--secret-file", secret)
    number = a.get("/api/v1/hooks")[0]["id"]

    def report(state, description=""):
        a.post("/api/v1/repos/%s/statuses/%s" % (repo["id"], tip), {"state": state, "context": "ci/x", "description": description,
                                                                   "target_url": "http://ci.example/1"})

    def answered(n, code, attempts=1):
        """Has the n-th delivery had this answer by now?"""
        rows = a.get("/api/v1/hooks/%d/deliveries" % number)
        return len(rows) == n and rows[0]["attempts"] >= attempts and rows[0]["status_code"] == code

    try:
        with running(PYTHON, os.path.join(CI, "mail.py"), "--secret-file", secret, env=env):
            wait_for(lambda: answers(port), "the mailer")
            with tap.case("while the mail server is away the node tries again; the chat is told once"):
                report("failure", "3 of 100\ntests failed")
                wait_for(lambda: answered(1, 502, attempts=2), "two attempts")
                with smtp(smtp_port, box):
                    wait_for(lambda: answered(1, 200), "its taking")
                    mail, = mails(box)
                line, = [d.json["text"] for d in chat.good]
                assert line.startswith("failure: ci/x of %s in demo\nRäder\n3 of 100 tests failed\nhttp://ci.example/1\n" % tip[:10]), line
            with tap.case("the mail says what failed, where, and who signed it"):
                text = mail.get_content()
                assert mail["Subject"] == "failure: ci/x of %s in demo" % tip[:10] and mail["From"] == "ci@example.org", mail.items()
                assert mail["X-RcptTo"] == "team@example.org, boss@example.org", mail.items()
                assert text == line and "/commit/" + tip in text and "signed by " + a.id in text, text
            with tap.case("what passes is not told"):
                report("success")
                wait_for(lambda: answered(2, 200), "the answer")
                assert len(chat.good) == 1 and len(mails(box)) == 1
            with tap.case("what the secret does not sign now is refused, what is no status too"):
                body = json.dumps({"state": "failure"}).encode()
                assert deliver(url, body, key=b"another") == 403
                assert deliver(url, body, age=3600) == 403 and deliver(url, body, signed_id="m2") == 403
                assert deliver(url, body, **{"webhook-signature": "v1,ä"}) == 403 and deliver(url, body, **{"webhook-timestamp": "x"}) == 403
                assert deliver(url, body) == 400 and deliver(url, b"[") == 400 and deliver(url, b"[]") == 400
                assert deliver(url, body, **{"X-GitHub-Event": "push"}) == 200
                assert len(chat.good) == 1
    finally:
        chat.close()


tap = Tap()
if subprocess.run([PYTHON, "-c", "import aiosmtpd"], capture_output=True).returncode == 0:
    with tap.net() as net:
        main(tap, net)
else:
    tap.skip("statuses by mail", "no python3-aiosmtpd here")
tap.done()
