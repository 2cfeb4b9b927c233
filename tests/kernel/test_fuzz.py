"""Ten thousand malformed or mutated messages at each socket, and raw bytes at each port: the kernel
lives, answers, and has run nothing that was not signed. RUST_DL_FUZZ=N sends N at each instead, and
RUST_DL_SEED another sequence."""

import json
import os
import random
import socket
import struct

import pytest
import zmq
from client import SECONDS, streamed
from jupyter_client.session import Session

MESSAGES = int(os.environ.get("RUST_DL_FUZZ", "10000"))
SEED = int(os.environ.get("RUST_DL_SEED", "20240229"))
KINDS = [
    "execute_request", "complete_request", "inspect_request", "history_request", "is_complete_request",
    "comm_info_request", "comm_open", "comm_msg", "comm_close", "kernel_info_request", "interrupt_request",
    "debug_request", "input_reply", "execute_reply", "status", "nonsense_request",
]
VALUES = [None, True, -1, 0, 2**31, 2**64, -(2**63), 1.5, "", "é\u0000😀", [], [[]], {}, {"code": {}}, "x" * 2000]
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


class Fuzzer:
    """Messages as they should not be. None of them may run `code`."""

    def __init__(self, key, marker, seed):
        self.random = random.Random(seed)
        self.own = Session(key=key)
        self.forger = Session(key=b"not the key")
        self.code = f'std::fs::write({json.dumps(str(marker))}, "forged")?;'

    def content(self, kind):
        """What fits no request: executing needs a text as its code."""
        keys = ["code", "cursor_pos", "detail_level", "comm_id", "target_name", "data", "value", "silent",
                "hist_access_type", "n", "session", "start", "stop", "pattern", "user_expressions", "restart"]
        content = {key: self.random.choice(VALUES) for key in self.random.sample(keys, self.random.randint(0, 5))}
        if kind == "execute_request":
            content["code"] = self.random.choice([None, 3, [], {}, True])
        odd = self.random.choice([content, content, content, [content], "text", 7, None])
        return json.dumps(odd).encode(errors="replace")

    def frames(self):
        return self.random.choice([self.unsigned, self.unsigned, self.mutated, self.mutated, self.signed, self.noise])()

    def unsigned(self):
        content = {"code": self.code, "silent": False, "allow_stdin": False, "restart": False}
        kind = self.random.choice(["execute_request", "shutdown_request", "interrupt_request"])
        frames = self.forger.serialize(self.forger.msg(kind, content))
        if self.random.random() < 0.5:
            frames[1] = self.random.choice([b"", b"0" * 64, frames[1][:-1], frames[1].upper(), b"\xff" * 64])
        return frames

    def mutated(self):
        """Rightly signed, then changed: no signature fits any more."""
        frames = self.own.serialize(self.own.msg("execute_request", {"code": self.code}))
        at = self.random.randrange(1, 6)
        frame = bytearray(frames[at])
        how = self.random.randrange(4)
        if how == 0:
            # The signature may be in either case.
            frame[self.random.randrange(len(frame))] ^= 1 << self.random.choice([0, 1, 2, 3, 7] if at == 1 else range(8))
        elif how == 1:
            del frame[self.random.randrange(len(frame)):]
        elif how == 2:
            frame += self.random.randbytes(self.random.randint(1, 40))
        else:
            return frames[:at] + frames[at + 1:] if at < 5 else frames[:-1]
        frames[at] = bytes(frame)
        return frames

    def signed(self):
        kind = self.random.choice(KINDS)
        return self.own.serialize(self.own.msg(kind, self.content(kind)))

    def noise(self):
        count = self.random.choice([1, 1, 2, 5, 6, 7, 40])
        frames = [self.random.randbytes(self.random.choice([0, 1, 8, 64, 300])) for _ in range(count)]
        if self.random.random() < 0.5:
            frames.insert(self.random.randrange(len(frames)), b"<IDS|MSG>")
        return frames

    def raw(self):
        """Bytes at a port, of which some begin as ZeroMQ does."""
        length = self.random.choice([0, 255, 2**20, 2**31, 2**40, 2**62, 2**64 - 1])
        frame = bytes([self.random.choice([0, 1, 2, 3, 4, 6, 255])]) + struct.pack(">Q", length)
        noise = self.random.randbytes(self.random.choice([0, 1, 10, 64, 500]))
        return self.random.choice([noise, GREETING + noise, GREETING + READY + frame + noise, GREETING[:30], b""])


@pytest.mark.parametrize("channel", ["shell", "control", "stdin", "hb", "iopub"])
def test_no_message_harms(kernel, tmp_path, channel):
    kernel.execute("let kept = 42;")
    info, marker = kernel.manager.get_connection_info(), tmp_path / "marker"
    fuzzer = Fuzzer(info["key"], marker, SEED + len(channel))
    address = f"tcp://{info['ip']}:{info[channel + '_port']}"
    sender = zmq.Context.instance().socket(zmq.XSUB if channel == "iopub" else zmq.DEALER)
    sender.linger, sender.sndhwm, sender.rcvhwm = 60_000, 0, 0
    sender.connect(address)
    for _ in range(MESSAGES):
        frames = fuzzer.frames()
        if channel == "iopub" and fuzzer.random.random() < 0.8:
            frames = [bytes([fuzzer.random.randrange(4)]) + frames[-1][:100]]
        sender.send_multipart(frames)
    for _ in range(200):
        with socket.create_connection((info["ip"], info[f"{channel}_port"]), timeout=SECONDS) as raw:
            try:
                raw.sendall(fuzzer.raw())
            except OSError:
                pass  # Turned away.
    if channel in ("shell", "control"):
        honest = fuzzer.own.msg("kernel_info_request", {})
        fuzzer.own.send(sender, honest)
        while True:
            assert sender.poll(SECONDS * 1000), "the honest request was not answered"
            _, parts = fuzzer.own.feed_identities(sender.recv_multipart())
            if fuzzer.own.deserialize(parts)["parent_header"]["msg_id"] == honest["header"]["msg_id"]:
                break
    sender.close(linger=0)

    assert kernel.manager.is_alive()
    reply, published = kernel.execute('println!("{}", kept); kept')
    assert reply["status"] == "ok" and reply["execution_count"] == 2
    assert streamed(published) == "42\n"
    assert not marker.exists(), "something unsigned was executed"
    request = kernel.client.execute('input("still there?")?')
    kernel.client.get_stdin_msg(timeout=SECONDS)
    kernel.client.input("yes")
    assert kernel.reply(request)["content"]["status"] == "ok"
    kernel.published(request)
    beat = zmq.Context.instance().socket(zmq.REQ)
    beat.linger = 0
    beat.connect(f"tcp://{info['ip']}:{info['hb_port']}")
    beat.send(b"still there?")
    assert beat.poll(SECONDS * 1000) and beat.recv() == b"still there?"
    beat.close()
