"""nginxend - nginx beside us, alone or with git-http-backend behind it."""
from gutslib import wait_for
from nginxlib import Nginx, program
import os
import signal
import subprocess

SERVER = """\
%(settings)s	server {
		listen 127.0.0.1:%(port)d backlog=511;
%(locations)s	}
"""
GIT_LOCATIONS = """\
		location / {
			fastcgi_pass unix:%(dir)s/cgi.sock;
			fastcgi_buffering off;
			fastcgi_param SCRIPT_FILENAME %(backend)s;
			fastcgi_param GIT_PROJECT_ROOT %(dir)s;
			fastcgi_param GIT_HTTP_EXPORT_ALL "";
			fastcgi_param GIT_PROTOCOL $http_git_protocol;
			fastcgi_param PATH_INFO $uri;
			fastcgi_param QUERY_STRING $query_string;
			fastcgi_param REQUEST_METHOD $request_method;
			fastcgi_param CONTENT_TYPE $content_type;
			fastcgi_param CONTENT_LENGTH $content_length;
			fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
			fastcgi_param REMOTE_ADDR $remote_addr;
			fastcgi_param SERVER_PROTOCOL $server_protocol;
		}
"""


def serving(folder, settings, locations):
    """nginx with these locations in its one server; `settings` are lines for http { }."""
    return Nginx(folder, lambda port: SERVER % {"port": port, "settings": settings, "locations": locations})


class Backend:
    """nginx and fcgiwrap over the repositories in a folder."""

    def __init__(self, folder):
        self.cgi = subprocess.Popen([program("fcgiwrap"), "-c", "2", "-s", "unix:" + folder + "/cgi.sock"],
                                    env=dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null"),
                                    start_new_session=True)
        wait_for(lambda: os.path.exists(folder + "/cgi.sock"), "fcgiwrap")
        exec_path = subprocess.run(["git", "--exec-path"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.nginx = serving(folder, "\tclient_max_body_size 0;\n",
                             GIT_LOCATIONS % {"dir": folder, "backend": exec_path + "/git-http-backend"})
        self.url = self.nginx.url

    def stop(self):
        self.nginx.stop()
        os.killpg(self.cgi.pid, signal.SIGTERM)  # its workers outlive it otherwise
        self.cgi.wait(10)
