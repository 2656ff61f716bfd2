"""What buildbot needs before it opens its port, and Debian does not package: a www plugin named `base`.

It serves one page, www/index.html, which shows a build and its logs through buildbot's REST API; the links in
statuses lead there."""
import os

from twisted.web.static import File


class Base:
    ui = True

    def __init__(self, folder):
        self.static_dir = folder
        self.resource = File(folder)

    def setMaster(self, master):
        pass

    def setConfiguration(self, config):
        pass


plugin = Base(os.path.join(os.path.dirname(os.path.abspath(__file__)), "www"))
