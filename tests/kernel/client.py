"""A kernel and a client of it, as the tests use them."""

import os
import time

import psutil
from jupyter_client import KernelManager

KERNEL = "rust-dl"
SECONDS = 60


class Kernel:
    """A kernel and a client of it."""

    def __init__(self, **environment):
        self.manager = KernelManager(kernel_name=KERNEL)
        self.manager.start_kernel(env=os.environ | environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)
        self.others = []

    @property
    def process(self):
        return psutil.Process(self.manager.provisioner.pid)

    def execute(self, code, **options):
        """The reply, and what was published for the cell, from busy to idle."""
        request = self.client.execute(code, **options)
        reply = self.reply(request)
        return reply["content"], self.published(request)

    def reply(self, request, channel="shell"):
        while True:
            message = getattr(self.client, f"get_{channel}_msg")(timeout=SECONDS)
            if message["parent_header"].get("msg_id") == request:
                return message

    def next_published(self, request):
        def mine(message):
            return message["parent_header"].get("msg_id") == request

        found = next(filter(mine, self.others), None)
        if found:
            self.others.remove(found)
        while not found:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if mine(message):
                found = message
            else:
                self.others.append(message)
        return found["msg_type"], found["content"]

    def published(self, request):
        seen = []
        while True:
            seen.append(self.next_published(request))
            if seen[-1] == ("status", {"execution_state": "idle"}):
                return seen

    def control(self, kind, content=None):
        message = self.client.session.msg(kind, content or {})
        self.client.control_channel.send(message)
        return message["header"]["msg_id"]

    def end(self):
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel()


def kinds(published):
    return [kind for kind, _ in published]


def streamed(published, name="stdout"):
    return "".join(c["text"] for kind, c in published if kind == "stream" and c["name"] == name)


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_until(condition, what):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)
