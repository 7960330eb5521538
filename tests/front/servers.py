"""Front servers of Debian, each with a configuration of its own and nothing else."""

import os
import re
import shutil
import subprocess
import tempfile
import time

from harness import sockets


class Server:
    """A running front server in the foreground, in a directory of its own, on a loopback port."""

    def __init__(self, name, configuration, command):
        """Both strings may use {directory}, {port} and {file}, the configuration's path."""
        self.directory = tempfile.mkdtemp(prefix=f"front-{name}-")
        os.chmod(self.directory, 0o755)
        self.port = sockets.free_port()
        self._log = os.path.join(self.directory, "output")
        places = {
            "directory": self.directory,
            "port": self.port,
            "file": os.path.join(self.directory, name + ".conf"),
        }
        with open(places["file"], "w", encoding="utf-8") as file:
            file.write(_fill(configuration, places))
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [_fill(word, places) for word in command],
                env={"PATH": os.environ["PATH"], "HOME": self.directory},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )

    def __enter__(self):
        try:
            self._wait_listening(time.monotonic() + 20)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    def _wait_listening(self, limit):
        while True:
            try:
                sockets.connect(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < limit, "does not listen in time"
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError("ended at its start")

    def _end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for name in ("output", "error.log"):
            path = os.path.join(self.directory, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    print(file.read()[-20000:])
        shutil.rmtree(self.directory, ignore_errors=True)


def _fill(text, places):
    """Like str.format, for texts that are full of braces."""
    for name, value in places.items():
        text = text.replace("{" + name + "}", str(value))
    return text


NGINX = """
daemon off;
USER
MAIN
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    UPSTREAMS
    server {
        listen 127.0.0.1:{port};
        LOCATIONS
    }
}
"""


def nginx(locations, upstreams="", main=""):
    """`locations` is a dict: prefix to the directives in it."""
    text = "\n".join(f"location {path} {{ {lines} }}" for path, lines in locations.items())
    configuration = NGINX.replace("LOCATIONS", text).replace("UPSTREAMS", upstreams)
    configuration = configuration.replace("MAIN", main)
    configuration = configuration.replace("USER", "user root;" if os.geteuid() == 0 else "")
    command = ["nginx", "-p", "{directory}", "-c", "{file}", "-e", "{directory}/error.log"]
    return Server("nginx", configuration, command)


LIGHTTPD = """
server.modules = ("mod_fastcgi", "mod_scgi")
server.document-root = "{directory}"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ("{directory}")
server.stream-response-body = 1
"""


def version(*command):
    """The two first numbers of what a program says of its version."""
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in re.search(r"(\d+)\.(\d+)", shown).groups())


def lighttpd(lines):
    return Server("lighttpd", LIGHTTPD + lines, ["lighttpd", "-D", "-f", "{file}"])


CADDY = """
{
    admin off
    auto_https off
}
http://:{port} {
    bind 127.0.0.1
    LINES
}
"""


def caddy(lines):
    command = ["caddy", "run", "--config", "{file}", "--adapter", "caddyfile"]
    return Server("caddy", CADDY.replace("LINES", lines), command)


APACHE = """
ServerRoot "{directory}"
ServerName localhost
DefaultRuntimeDir "{directory}"
PidFile "{directory}/pid"
ErrorLog "{directory}/error.log"
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule setenvif_module /usr/lib/apache2/modules/mod_setenvif.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
LoadModule proxy_scgi_module /usr/lib/apache2/modules/mod_proxy_scgi.so
User www-data
Group www-data
"""


def apache(lines):
    command = ["apache2", "-d", "{directory}", "-f", "{file}", "-DFOREGROUND"]
    return Server("apache2", APACHE + lines, command)


HAPROXY = """
defaults
    mode http
    option http-buffer-request
    timeout connect 10s
    timeout client 30s
    timeout server 30s
fcgi-app pycgid
    docroot /nonexistent
    OPTIONS
frontend clients
    bind 127.0.0.1:{port}
    use_backend mounted if { path -m beg /app }
    default_backend root
backend root
    use-fcgi-app pycgid
    server one ROOT proto fcgi
backend mounted
    use-fcgi-app pycgid
    server one MOUNTED proto fcgi
"""


def haproxy(root, mounted, options=()):
    """`root` and `mounted` are addresses, and what HAProxy needs to know of them."""
    text = HAPROXY.replace("OPTIONS", "\n    ".join(options))
    text = text.replace("ROOT", root).replace("MOUNTED", mounted)
    return Server("haproxy", text, ["haproxy", "-db", "-f", "{file}"])


HAPROXY_CONTRIB = """
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s
frontend clients
    bind 127.0.0.1:{port}
    default_backend app-elsewhere
"""


def haproxy_of_contrib(text):
    """The configuration of contrib, with its backend for TLS behind a frontend."""
    return Server("haproxy", HAPROXY_CONTRIB + text, ["haproxy", "-db", "-f", "{file}"])
