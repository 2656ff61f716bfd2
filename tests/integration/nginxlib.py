"""nginxlib.py - a real nginx: one worker, on a port that the kernel chose."""
import os
import shutil
import socket
import subprocess

from gutslib import DEADLINE

CONF = """
worker_processes 1;
daemon off;
master_process on;
user root;
pid %(dir)s/nginx.pid;
error_log %(dir)s/nginx.log;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %(dir)s;
	proxy_temp_path %(dir)s;
	fastcgi_temp_path %(dir)s;
	uwsgi_temp_path %(dir)s;
	scgi_temp_path %(dir)s;
%(http)s
}
"""


def program(name):
    return shutil.which(name) or "/usr/sbin/" + name


def listener():
    """A socket for Nginx, where its port has to be known before."""
    return socket.create_server(("127.0.0.1", 0), backlog=511)


class Nginx:
    def __init__(self, folder, http, sock=None):
        """http(port): the lines of its http { }, with a server that listens on this port of 127.0.0.1.  It takes over a socket of ours, so
        whoever connects is answered as soon as it runs."""
        conf, log = os.path.join(folder, "nginx.conf"), os.path.join(folder, "nginx.log")
        with sock or listener() as s:
            port = s.getsockname()[1]
            self.url = "http://127.0.0.1:%d" % port
            with open(conf, "w") as f:
                f.write(CONF % {"dir": folder, "http": http(port)})
            os.set_inheritable(s.fileno(), True)
            self.process = subprocess.Popen([program("nginx"), "-p", folder, "-c", conf, "-e", log], pass_fds=[s.fileno()],
                                            stderr=subprocess.DEVNULL, env=dict(os.environ, NGINX="%d;" % s.fileno()))

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
