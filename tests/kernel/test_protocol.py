"""The installed kernel as a client sees it, message by message, and what it leaves behind.

`test_conformance.py` asks what every kernel must do; here stands what this one promises beyond
that: order, one error a failure, interrupts that keep variables, and no trust in what is unsigned.
"""

import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys

import psutil
import pytest
import zmq
from client import KERNEL, SECONDS, Kernel, gone, kinds, streamed, wait_until
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session


def test_kernel_info(shared):
    request = shared.client.kernel_info()
    info = shared.reply(request)["content"]
    assert info["protocol_version"] == "5.4"
    assert info["language_info"]["name"] == "rust"
    assert info["language_info"]["version"].startswith("1.")
    assert kinds(shared.published(request)) == ["status", "status"]


def test_the_count_begins_at_one_and_silence_does_not_count(kernel):
    _, published = kernel.execute("40 + 2")
    assert kinds(published) == ["status", "execute_input", "execute_result", "status"]
    assert published[1][1] == {"code": "40 + 2", "execution_count": 1}
    assert published[2][1]["data"] == {"text/plain": "42"}
    reply, published = kernel.execute("println!(\"hush\"); 1", silent=True)
    assert reply["status"] == "ok" and kinds(published) == ["status", "status"]
    reply, _ = kernel.execute("2")
    assert reply["execution_count"] == 2


def test_streams_keep_their_order_and_their_characters(shared):
    code = 'for i in 0..2000 { println!("{i} ▌😀"); }'
    _, published = shared.execute(code)
    assert streamed(published) == "".join(f"{i} ▌😀\n" for i in range(2000))
    assert len(published) < 100, "streams come in batches"
    _, published = shared.execute('print!("before"); display(&MimeBundle::text("shown")); print!("\\rafter");')
    assert streamed(published) == "before\rafter"
    at = kinds(published).index("display_data")
    assert streamed(published[:at]).startswith("before"), "what was printed before is shown before"


def test_nothing_comes_after_idle(shared):
    for i in range(20):
        request = shared.client.execute(f'println!("{i}"); eprintln!("{i}"); {i}')
        shared.reply(request)
        published = shared.published(request)
        assert streamed(published) == f"{i}\n" and streamed(published, "stderr") == f"{i}\n"
        assert kinds(published)[-2:] == ["execute_result", "status"]
    with pytest.raises(queue.Empty):
        shared.client.get_iopub_msg(timeout=0.2)


def test_a_display_is_updated_in_place_while_the_cell_runs(shared):
    _, published = shared.execute(
        'let handle = display_updatable(&MimeBundle::text("0"));'
        'for i in 1..4 { handle.update(&MimeBundle::text(i.to_string())); }'
        'clear_output(true);'
    )
    assert kinds(published)[2:-1] == ["display_data"] + 3 * ["update_display_data"] + ["clear_output"]
    ids = {c["transient"]["display_id"] for kind, c in published if "display" in kind}
    assert len(ids) == 1 and None not in ids
    assert [c["data"]["text/plain"] for kind, c in published[2:6]] == list("0123")


@pytest.mark.parametrize("code, ename", [
    ("let x: i32 = \"a\";", "E0308"),
    ("let x = ;", None),
    ("panic!(\"on purpose\")", "panic"),
    ("std::fs::read_to_string(\"/not/there\")?", "Error"),
    ("std::process::abort()", None),
])
def test_a_failure_is_one_error(kernel, code, ename):
    reply, published = kernel.execute(code)
    errors = [c for kind, c in published if kind == "error"]
    assert len(errors) == 1 and reply["status"] == "error"
    assert ename in (None, reply["ename"])
    for key in ("ename", "evalue", "traceback"):
        assert errors[0][key] == reply[key] and reply[key]
    reply, _ = kernel.execute("1")
    assert reply["status"] == "ok"


def test_a_failure_aborts_the_cells_that_wait(shared):
    first = shared.client.execute("std::thread::sleep(std::time::Duration::from_millis(300)); panic!()")
    second = shared.client.execute("println!(\"never\")")
    info = shared.client.kernel_info()
    assert shared.reply(first)["content"]["status"] == "error"
    assert shared.reply(second)["content"]["status"] == "aborted"
    assert shared.reply(info)["content"]["status"] == "ok"
    shared.published(first)
    assert kinds(shared.published(second)) == ["status", "status"]
    first = shared.client.execute("panic!()", stop_on_error=False)
    second = shared.client.execute("7")
    shared.reply(first)
    assert shared.reply(second)["content"]["status"] == "ok"
    shared.published(second)


def test_user_expressions(shared):
    reply, _ = shared.execute("let seven = 7;", user_expressions={"a": "seven + 1", "b": "no_such_name"})
    assert reply["user_expressions"]["a"]["data"] == {"text/plain": "8"}
    assert reply["user_expressions"]["b"]["status"] == "error"


def test_a_cell_says_where_its_time_went(shared):
    request = shared.client.execute("1")
    metadata = shared.reply(request)["metadata"]
    shared.published(request)
    assert metadata["started"].endswith("Z")
    parts = ["parse", "types", "generate", "compile", "link", "load", "run"]
    assert set(metadata["rust_dl"]) == {f"{part}_ms" for part in parts + ["total"]} | {"builds"}
    assert all(metadata["rust_dl"][f"{part}_ms"] > 0 for part in parts)
    assert sum(metadata["rust_dl"][f"{part}_ms"] for part in parts) <= metadata["rust_dl"]["total_ms"]


def test_an_interrupt_stops_what_asks_and_keeps_variables(kernel):
    kernel.execute("let kept = vec![1, 2, 3];")
    request = kernel.client.execute(
        'println!("running"); while !dlcore::interrupt::requested() { std::thread::yield_now(); } println!("stopped");'
    )
    while kernel.next_published(request)[0] != "stream":
        pass
    interrupt = kernel.control("interrupt_request")
    assert kernel.reply(interrupt, "control")["content"]["status"] == "ok"
    kernel.reply(request)
    rest = kernel.published(request)
    assert streamed(rest) == "stopped\n"
    assert kinds(kernel.published(interrupt)) == ["status", "status"]
    _, published = kernel.execute("kept")
    assert published[2][1]["data"]["text/plain"] == "[1, 2, 3]"


def test_an_interrupt_is_meant_for_the_cells_that_wait_too(kernel):
    first = kernel.client.execute(
        'println!("running"); while !dlcore::interrupt::requested() { std::thread::yield_now(); }'
    )
    second = kernel.client.execute('println!("never")')
    while kernel.next_published(first)[0] != "stream":
        pass
    kernel.reply(kernel.control("interrupt_request"), "control")
    # It came after the interrupt, so it is not meant.
    third = kernel.client.execute('println!("later")')
    assert kernel.reply(first)["content"]["status"] == "ok"
    assert kernel.reply(second)["content"]["status"] == "aborted"
    assert kernel.reply(third)["content"]["status"] == "ok"
    assert streamed(kernel.published(second)) == "" and streamed(kernel.published(third)) == "later\n"


def test_a_second_interrupt_ends_what_never_asks(kernel):
    kernel.execute("let lost = 1;")
    request = kernel.client.execute('println!("running"); loop { std::hint::spin_loop(); }')
    while kernel.next_published(request)[0] != "stream":
        pass
    kernel.reply(kernel.control("interrupt_request"), "control")
    # A second press counts once it has been said that the cell does not stop by itself.
    while "Interrupt again" not in str(kernel.next_published(request)):
        pass
    kernel.reply(kernel.control("interrupt_request"), "control")
    reply = kernel.reply(request)["content"]
    assert reply["status"] == "error"
    assert "lost" in "\n".join(reply["traceback"])
    kernel.published(request)
    assert kernel.execute("1 + 1")[0]["status"] == "ok"


def test_standard_input_is_empty(shared):
    reply, published = shared.execute(
        "let mut line = String::new(); let read = std::io::stdin().read_line(&mut line)?; read"
    )
    assert reply["status"] == "ok"
    assert [c["data"]["text/plain"] for kind, c in published if kind == "execute_result"] == ["0"]


def test_completion_counts_code_points(shared):
    shared.execute("let completable = 1;")
    code = 'let s = "😀∂"; comple'
    reply = shared.reply(shared.client.complete(code))["content"]
    assert "completable" in reply["matches"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (len(code) - len("comple"), len(code))


def test_rust_analyzer_answers_after_a_while(shared):
    """The type of `grid` is known to rust-analyzer only: no name before the dot tells it."""
    shared.execute("fn grid() -> std::collections::BTreeMap<u8, u8> { Default::default() }")

    def knows():
        reply = shared.reply(shared.client.complete("grid().first_k"))["content"]
        return reply["matches"] == ["first_key_value"]

    wait_until(knows, "completion of a method of std")
    reply = shared.reply(shared.client.inspect("grid().first_key_value", 10))["content"]
    assert reply["found"] and "first_key_value" in reply["data"]["text/plain"]
    reply = shared.reply(shared.client.complete("let t = Tensor::zeros([2]); t.resha"))["content"]
    assert "reshape" in reply["matches"]


def test_inspect_knows_the_session(shared):
    shared.execute("let inspected = 1.5_f32;")
    reply = shared.reply(shared.client.inspect("inspected + 1.0", 4))["content"]
    assert reply["found"] and "f32" in reply["data"]["text/plain"]
    assert not shared.reply(shared.client.inspect("( )", 1))["content"]["found"]


def test_comms_are_refused_politely(shared):
    message = shared.client.session.msg("comm_open", {"comm_id": "c", "target_name": "t", "data": {}})
    shared.client.shell_channel.send(message)
    published = shared.published(message["header"]["msg_id"])
    assert kinds(published) == ["status", "comm_close", "status"]
    reply = shared.reply(shared.client.comm_info())["content"]
    assert reply["comms"] == {}


def test_an_idle_session_is_small(kernel):
    kernel.execute("let tensor = Tensor::zeros([2, 2]); tensor")
    processes = [kernel.process, *kernel.process.children(recursive=True)]
    # The third is the compiler that stands ready for the next cell.
    assert sorted(process.name() for process in processes) == ["rust-dl", "rust-dl", "rustc"]
    # Measured are about 33 MB for the first two and 35 MB, nearly all of it shared, for the third, resident.
    assert sum(process.memory_info().rss for process in processes) < 80 << 20


def test_no_compiler_waits_while_evcxr_evaluates(kernel):
    def waiting():
        return [child for child in kernel.process.children() if child.name() == "rustc"]

    kernel.execute("let before = 1;")
    wait_until(waiting, "the start of a compiler for the next cell")
    assert kernel.execute(":engine evcxr")[0]["status"] == "ok"
    assert not waiting()
    kernel.execute(":engine rustc")
    wait_until(waiting, "the start of a compiler for the next cell")
    assert kernel.execute("before")[0]["status"] == "ok"


def test_there_is_no_debugger_and_it_says_so(shared):
    request = shared.control("debug_request", {"type": "request", "seq": 3, "command": "initialize"})
    reply = shared.reply(request, "control")["content"]
    assert reply["success"] is False and reply["request_seq"] == 3


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_what_is_not_signed_is_not_heard(shared, channel):
    info = shared.manager.get_connection_info()
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(f"tcp://{info['ip']}:{info[channel + '_port']}")
    forger = Session(key=b"not the key")
    forged = forger.msg("kernel_info_request", {})
    forger.send(socket, forged)
    broken = [
        [b"x"], [b""], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"0" * 64], [b"\xff" * 9, b"<IDS|MSG>", b"\xff", b"{}"],
        [b"<IDS|MSG>", b"zz", b"{}", b"{}", b"{}", b"{}"], [b"a"] * 500,
    ]
    for frames in broken:
        socket.send_multipart(frames)
    own = Session(key=shared.client.session.key)
    for content in (b"[1, 2]", b'"text"', b"null", b'{"code": {}}'):
        own.send(socket, own.msg("complete_request", content))
    refused = 0
    honest = own.msg("kernel_info_request", {})
    own.send(socket, honest)
    while True:
        assert socket.poll(SECONDS * 1000), "the honest request was not answered"
        _, parts = own.feed_identities(socket.recv_multipart())
        message = own.deserialize(parts)
        assert message["parent_header"]["msg_id"] != forged["header"]["msg_id"]
        if message["parent_header"]["msg_id"] == honest["header"]["msg_id"]:
            break
        assert message["content"]["status"] == "error"
        refused += 1
    assert refused == 4, "what is signed but malformed is answered with an error"
    socket.close()
    assert shared.execute("1")[0]["status"] == "ok"


def test_sockets_listen_on_the_given_address_only(shared):
    info = shared.manager.get_connection_info()
    listening = {c.laddr for c in shared.process.net_connections() if c.status == psutil.CONN_LISTEN}
    ports = {info[f"{name}_port"] for name in ("shell", "iopub", "stdin", "control", "hb")}
    assert {address.port for address in listening} == ports
    assert {address.ip for address in listening} == {info["ip"]}


@pytest.mark.parametrize("mode, warned", [(0o600, False), (0o644, True)])
def test_a_connection_file_that_others_can_read_is_warned_of(tmp_path, mode, warned):
    path, _ = write_connection_file(str(tmp_path / "connection.json"))
    os.chmod(path, mode)
    argv = [part.replace("{connection_file}", path) for part in KernelManager(kernel_name=KERNEL).kernel_spec.argv]
    kernel = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    client = BlockingKernelClient(connection_file=path)
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    client.shutdown()
    said = kernel.communicate(timeout=SECONDS)[1]
    client.stop_channels()
    assert ("other users can read" in said and "chmod 600" in said) == warned, said


def test_the_heart_beats(shared):
    info = shared.manager.get_connection_info()
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.linger = 0
    socket.connect(f"tcp://{info['ip']}:{info['hb_port']}")
    socket.send(b"ping")
    assert socket.poll(SECONDS * 1000)
    socket.close()


def sessions(kernel):
    """What sessions have in the cache: their work, and their sockets."""
    left = list((kernel.cache / "sessions").glob("*"))
    assert len(list((kernel.cache / "sockets").glob("*"))) == len(left)
    return left


def test_shutdown_leaves_nothing(kernel):
    kernel.execute("1")
    assert len(sessions(kernel)) == 1
    processes = [kernel.process, *kernel.process.children(recursive=True)]
    kernel.manager.shutdown_kernel()
    assert sessions(kernel) == []
    for process in processes:
        wait_until(lambda: gone(process.pid), f"the end of {process}")


def test_shutdown_while_a_cell_runs(kernel):
    request = kernel.client.execute('println!("running"); loop { std::hint::spin_loop(); }')
    while kernel.next_published(request)[0] != "stream":
        pass
    children = kernel.process.children(recursive=True)
    kernel.manager.shutdown_kernel()
    wait_until(lambda: all(gone(child.pid) for child in children), "the end of the cell process")
    assert sessions(kernel) == []


def test_a_killed_kernel_takes_its_processes_along_and_the_next_cleans_up(kernel):
    kernel.execute("1")
    kernel.client.complete("st")
    children = kernel.process.children(recursive=True)
    left = sessions(kernel)
    kernel.process.kill()
    wait_until(lambda: all(gone(child.pid) for child in children), "the end of the children")
    kernel.manager.cleanup_resources()
    following = Kernel(XDG_CACHE_HOME=str(kernel.cache.parent))
    following.execute("1")
    now = [entry for entry in (kernel.cache / "sessions").glob("*")]
    following.end()
    assert len(left) == len(now) == 1 and left != now


def test_restart_begins_anew(kernel):
    kernel.execute("let before = 1;")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=SECONDS)
    reply, published = kernel.execute("before")
    assert reply["ename"] == "E0425" and reply["execution_count"] == 1


def test_a_termination_signal_ends_it_properly(kernel):
    kernel.execute("1")
    pid = kernel.process.pid
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: gone(pid), "the end of the kernel")
    assert sessions(kernel) == []


def test_a_kernel_does_not_outlive_its_starter(tmp_path):
    script = (
        "from jupyter_client import KernelManager\n"
        f"manager = KernelManager(kernel_name={KERNEL!r})\n"
        "manager.start_kernel()\n"
        "client = manager.client(); client.start_channels(); client.wait_for_ready(timeout=60)\n"
        "print(manager.provisioner.pid, flush=True)\n"
        "input()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path)},
    )
    pid = int(starter.stdout.readline())
    assert not gone(pid)
    starter.kill()
    starter.wait()
    wait_until(lambda: gone(pid), "the end of the kernel")


def test_doctor_finds_what_is_there():
    spec = KernelManager(kernel_name=KERNEL).kernel_spec
    assert spec.display_name == "Rust (deep learning)" and spec.interrupt_mode == "message"
    resources = pathlib.Path(spec.resource_dir)
    assert {path.name for path in resources.iterdir()} == {
        "kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}
    said = subprocess.run([spec.argv[0], "doctor"], text=True, capture_output=True)
    lines = said.stdout.splitlines()
    found = {line.split()[1] for line in lines if line.startswith("ok")}
    assert {"compiler", "linker", "rust-src", "installation", "dlcore", "kernelspec"} <= found, said.stdout
    assert (said.returncode == 0) == (not any(line.startswith("MISS") for line in lines))
    first = next(number for number, line in enumerate(lines) if line.startswith("ok   devices "))
    assert lines[first].split()[2] == "cpu", said.stdout
    # Either what cards there are, or one line that says why there is none.
    assert lines[first + 1].split()[0] in ("cuda", "cuda:0"), said.stdout
    if lines[first + 1].split()[0] == "cuda":
        assert "not available: the NVIDIA driver" in lines[first + 1] and lines[first + 2].startswith("ok "), said.stdout


def test_doctor_names_a_card_that_is_there(tmp_path):
    """A card of tests/gpu/simulated, where g++ is there to make one."""
    if shutil.which("g++") is None:
        pytest.skip("no g++")
    build = pathlib.Path(__file__).resolve().parents[1] / "gpu/simulated/build.py"
    subprocess.run([sys.executable, build, tmp_path / "libraries"], check=True)
    program = KernelManager(kernel_name=KERNEL).kernel_spec.argv[0]
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path / "libraries"), "DLCORE_CACHE": str(tmp_path)}
    said = subprocess.run([program, "doctor"], text=True, capture_output=True, env=environment).stdout
    assert "cuda:0  simulated card 0, compute capability 8.0, " in said and "driver for CUDA 12.4" in said
    broken = subprocess.run(
        [program, "doctor"], text=True, capture_output=True, env=environment | {"SIMULATED_BROKEN": "1"}).stdout
    assert broken.count("the NVIDIA driver cannot start: CUDA_ERROR_UNKNOWN") == 1
