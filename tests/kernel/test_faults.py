"""What can go wrong while a notebook is used, each thing done on purpose: one error, the kernel alive,
and everything kept that can be. The table is printed with `pytest -s`."""

import os
import signal

import psutil
import pytest
from client import SECONDS, Kernel, gone, kinds, streamed, wait_until

SETUP = """
fn function() -> i32 { 7 }
let text = String::from("kept"); let number = 3; let tensor = Tensor::ones([2]);
let names = vec![String::from("a"), String::from("b")]; let parts = vec![Some(1)];
"""
# What a new process has again, and what only the old one had.
SNAPSHOTS, MEMORY = ["text", "number", "tensor", "names"], ["parts"]
TABLE = []


def cell_process(kernel):
    return next(child for child in kernel.process.children() if "cell" in child.cmdline())


def value(kernel, name):
    reply, published = kernel.execute(f"format!(\"{{:?}}\", {name})")
    return reply["status"] == "ok"


def interrupt(kernel):
    kernel.reply(kernel.control("interrupt_request"), "control")


def until(kernel, request, text):
    """Returns when the cell has put that out; its own code is published, too."""
    while True:
        kind, content = kernel.next_published(request)
        if kind != "execute_input" and text in kind + str(content):
            return


def compiler(kernel):
    """The compiler at work: one for the next cell stands ready and waits."""
    found = [child for child in kernel.process.children(recursive=True) if child.name() == "rustc"]
    return next((child for child in found if child.cpu_times().user > 0.5), None)


SLOW = "fn deep<const N: u64>() -> u64 { N }\n" + "".join(
    f"fn f{i}(x: f64) -> Vec<f64> {{ (0..100).map(|i| (i as f64 * x).sin()).filter(|v| *v > {i}.0).collect() }}\n"
    for i in range(1500)) + "f1(1.0).len()"


def while_compiling(kernel, act):
    request = kernel.client.execute(SLOW)
    wait_until(lambda: compiler(kernel), "the compiler's start")
    act(compiler(kernel))
    return request


def compiling_interrupted(kernel):
    return while_compiling(kernel, lambda _: interrupt(kernel))


def compiler_killed(kernel):
    return while_compiling(kernel, lambda process: process.kill())


def loop_interrupted_twice(kernel):
    request = kernel.client.execute('println!("begun"); loop { std::hint::spin_loop(); }')
    until(kernel, request, "begun")
    interrupt(kernel)
    until(kernel, request, "Interrupt again")
    interrupt(kernel)
    return request


def out_of_memory(kernel):
    used = cell_process(kernel).memory_info().vms
    psutil.Process(cell_process(kernel).pid).rlimit(psutil.RLIMIT_AS, (used + 2**28, used + 2**28))
    return kernel.client.execute("let much = vec![1u8; 1 << 40]; much.len()")


def cell_process_killed(kernel):
    request = kernel.client.execute('println!("begun"); loop { std::hint::spin_loop(); }')
    until(kernel, request, "begun")
    os.kill(cell_process(kernel).pid, signal.SIGKILL)
    return request


def code(text):
    return lambda kernel: kernel.client.execute(text)


ALL = SNAPSHOTS + MEMORY
FAULTS = {
    "interrupt while compiling": (compiling_interrupted, "Interrupted", ALL),
    "killed compiler": (compiler_killed, "KernelError", ALL),
    "interrupt in a loop, twice": (loop_interrupted_twice, "Interrupted", SNAPSHOTS),
    "does not compile": (code("let x: i32 = 1.5;"), "E0308", ALL),
    "panic": (code('panic!("on purpose")'), "panic", ALL),
    "panic with a variable taken": (code('let taken = tensor; panic!("{taken:?}")'), "panic", ALL),
    "error by ?": (code('std::fs::read("/not/there")?;'), "Error", ALL),
    "abort": (code("std::process::abort()"), "ProcessDied", SNAPSHOTS),
    "exit": (code("std::process::exit(3)"), "ProcessDied", SNAPSHOTS),
    "stack overflow": (code("fn down(n: u64) -> u64 { if n == u64::MAX { 0 } else { down(n + 1) + 1 } }\ndown(0)"),
                       "ProcessDied", SNAPSHOTS),
    "segmentation fault": (code("unsafe { std::ptr::null_mut::<u8>().write_volatile(1) }"), "ProcessDied", SNAPSHOTS),
    "out of memory": (out_of_memory, "ProcessDied", SNAPSHOTS),
    "kill -9 of the cell process": (cell_process_killed, "ProcessDied", SNAPSHOTS),
}


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    print("\n\n| fault | error | kept | gone |\n|---|---|---|---|")
    print("\n".join(TABLE))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_error_and_what_can_survive_does(kernel, fault):
    inject, ename, kept = FAULTS[fault]
    assert kernel.execute(SETUP)[0]["status"] == "ok"
    request = inject(kernel)
    reply = kernel.reply(request)["content"]
    published = kernel.published(request)
    assert reply["status"] == "error" and kinds(published).count("error") == 1
    assert ename in (None, reply["ename"]), reply
    there = [name for name in ALL if value(kernel, name)]
    assert there == kept
    lost = [name for name in ALL if name not in kept]
    told = "\n".join(reply["traceback"])
    if lost:
        assert f"gone: {', '.join(lost)}" in told and "[1]" in told, told
    assert streamed(kernel.execute('println!("{}", function())')[1]) == "7\n"
    TABLE.append(f"| {fault} | {reply['ename']} | function, {', '.join(there)} | {', '.join(lost) or 'nothing'} |")


def test_an_interrupt_of_training_gives_back_model_and_history(kernel):
    assert kernel.execute("""
        let x = Tensor::uniform([2000, 20], 0.0, 1.0); let y = x.slice((.., 0..1));
        let mut model = Sequential::new().add(Dense::new(8).input_shape([20])).add(Dense::new(1));
        model.compile(RMSprop::new(), "mse", Vec::<&str>::new())?;
    """)[0]["status"] == "ok"
    request = kernel.client.execute("let history = model.fit(&x, &y, Fit::epochs(100_000).batch_size(32))?;")
    until(kernel, request, "display_data")
    interrupt(kernel)
    reply = kernel.reply(request)["content"]
    assert reply["status"] == "ok"
    kernel.published(request)
    assert kernel.execute("model.predict(&x)?.shape().to_vec()")[0]["status"] == "ok"
    assert value(kernel, "history")
    TABLE.append("| interrupt while training | none: the cell ends | model, history | nothing |")


def test_ten_starts_in_a_row_and_two_kernels_at_once(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    for _ in range(10):
        kernel = Kernel(**environment)
        pids = [kernel.process.pid, *(child.pid for child in kernel.process.children(recursive=True))]
        kernel.end()
        wait_until(lambda: all(gone(pid) for pid in pids), "the end of all processes")
    first, second = Kernel(**environment), Kernel(**environment)
    first.execute("let mine = 1;")
    assert second.execute("mine")[0]["ename"] == "E0425"
    os.kill(second.process.pid, signal.SIGKILL)
    assert streamed(first.execute('println!("{mine}")')[1]) == "1\n"
    second.client.stop_channels()
    second.manager.cleanup_resources()
    # What the killed one has left goes when the next one starts, and the living one keeps its own.
    third = Kernel(**environment)
    third.execute("1")
    for place in ("sessions", "sockets"):
        assert len(list((tmp_path / "rust-dl" / place).glob("*"))) == 2
    assert first.execute("mine")[0]["status"] == "ok"
    first.end()
    third.end()
    left = [entry for place in ("sessions", "sockets") for entry in (tmp_path / "rust-dl" / place).glob("*")]
    assert left == []
    assert not [process for process in psutil.process_iter() if str(tmp_path) in environment_of(process)]
    TABLE.append("| ten starts; kill -9 of one of two kernels | | the other's variables | no process, no directory |")


def environment_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.environ().values())
    except psutil.Error:
        return ""


def test_a_restart_while_a_cell_runs(kernel):
    request = kernel.client.execute('println!("begun"); loop { std::hint::spin_loop(); }')
    until(kernel, request, "begun")
    before = cell_process(kernel).pid
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=SECONDS)
    assert gone(before)
    assert kernel.execute("40 + 2")[0]["execution_count"] == 1
    TABLE.append("| restart while a cell runs | | | everything, as asked |")
