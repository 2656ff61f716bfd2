"""nginxend - nginx beside us: one worker, on a port that the kernel chose; alone, or with git-http-backend behind it."""
from gutslib import wait_for
import os
import shutil
import signal
import socket
import subprocess

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
%(settings)s	server {
		listen 127.0.0.1:%(port)d backlog=511;
%(locations)s	}
}
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


def program(name):
    return shutil.which(name) or "/usr/sbin/" + name


class Nginx:
    def __init__(self, folder, settings, locations):
        """`settings` are lines for http { }, `locations` for its one server.  It takes over a socket of ours."""
        conf, log = os.path.join(folder, "nginx.conf"), os.path.join(folder, "nginx.log")
        with socket.create_server(("127.0.0.1", 0), backlog=511) as s:
            port = s.getsockname()[1]
            self.url = "http://127.0.0.1:%d" % port
            with open(conf, "w") as f:
                f.write(CONF % {"dir": folder, "port": port, "settings": settings, "locations": locations})
            os.set_inheritable(s.fileno(), True)
            self.process = subprocess.Popen([program("nginx"), "-p", folder, "-c", conf, "-e", log], pass_fds=[s.fileno()],
                                            stderr=subprocess.DEVNULL, env=dict(os.environ, NGINX="%d;" % s.fileno()))

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Backend:
    """nginx and fcgiwrap over the repositories in a folder."""

    def __init__(self, folder):
        self.cgi = subprocess.Popen([program("fcgiwrap"), "-c", "2", "-s", "unix:" + folder + "/cgi.sock"],
                                    env=dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null"),
                                    start_new_session=True)
        wait_for(lambda: os.path.exists(folder + "/cgi.sock"), "fcgiwrap")
        exec_path = subprocess.run(["git", "--exec-path"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.nginx = Nginx(folder, "\tclient_max_body_size 0;\n",
                           GIT_LOCATIONS % {"dir": folder, "backend": exec_path + "/git-http-backend"})
        self.url = self.nginx.url

    def stop(self):
        self.nginx.stop()
        os.killpg(self.cgi.pid, signal.SIGTERM)  # its workers outlive it otherwise
        self.cgi.wait(10)
