"""What a cell prints, byte for byte: order, half characters, floods, threads, and the death of its process."""

import os
import queue
import signal

import psutil
from client import SECONDS, kinds, streamed, wait_until

MEGABYTE = 1 << 20


def both(published):
    """Text of both streams in the order in which it came."""
    return "".join(c["text"] for kind, c in published if kind == "stream")


def cell_process(kernel):
    cells = [child for child in kernel.process.children() if "cell" in child.cmdline()]
    assert len(cells) == 1, cells
    return cells[0]


def test_text_comes_as_it_was_printed(shared):
    code = r'print!("no newline"); print!("\r50%\r100%"); print!("\x1b[31mred\x1b[0m\t\u{8}\u{0}|é∂😀");'
    _, published = shared.execute(code)
    assert streamed(published) == "no newline\r50%\r100%\x1b[31mred\x1b[0m\t\x08\x00|é∂😀"


def test_bytes_that_are_no_text_are_marked_and_harm_nothing(shared):
    _, published = shared.execute(r"""
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        for part in [&b"a\xff"[..], b"\xe2\x96", b"\x8cb", b"\xf0\x9f\x98"] { out.write_all(part)?; out.flush()?; }
    """)
    assert streamed(published) == "a\ufffd▌b\ufffd"


def test_both_streams_keep_their_order(shared):
    code = 'for i in 0..500 { println!("o{i}"); eprintln!("e{i}"); eprintln!("E{i}"); }'
    _, published = shared.execute(code)
    assert both(published) == "".join(f"o{i}\ne{i}\nE{i}\n" for i in range(500))


def test_streams_that_alternate_without_end_are_bounded(kernel):
    """Each change is a message; a client that waits for the reply alone reads none of them."""
    request = kernel.client.execute('for i in 0..20_000 { println!("o{i}"); eprintln!("e{i}"); }')
    assert kernel.reply(request)["content"]["status"] == "ok"
    published = kernel.published(request)
    assert len(published) < 5000
    assert "left out" in streamed(published, "stderr")


def test_displays_keep_their_order_among_prints(shared):
    _, published = shared.execute(
        'for i in 0..50 { print!("<{i}"); display(&MimeBundle::text(format!("d{i}"))); eprint!("{i}>"); }'
    )
    seen = "".join(
        c["text"] if kind == "stream" else c["data"]["text/plain"]
        for kind, c in published if kind in ("stream", "display_data")
    )
    assert seen == "".join(f"<{i}d{i}{i}>" for i in range(50))


def test_a_progress_bar_without_a_line_break_is_seen_while_it_grows(shared):
    # The cell goes on only when it is told that its line was seen.
    request = shared.client.execute('print!("\\r10%"); while input("")? != "seen" {}')
    shared.client.get_stdin_msg(timeout=SECONDS)
    while shared.next_published(request) != ("stream", {"name": "stdout", "text": "\r10%"}):
        pass
    shared.client.input("seen")
    shared.reply(request)
    shared.published(request)


def test_a_flood_is_bounded_and_the_kernel_stays_small(kernel):
    kernel.execute("1")
    before = kernel.process.memory_info().rss
    request = kernel.client.execute("""
        let line = "x".repeat(99);
        for _ in 0..1_048_576 { println!("{line}"); }
        "over"
    """)
    most, published = before, []
    while not published or published[-1] != ("status", {"execution_state": "idle"}):
        published.append(kernel.next_published(request))
        most = max(most, kernel.process.memory_info().rss)
    assert kernel.reply(request)["content"]["status"] == "ok"
    # The first five thousand lines, and the last hundred.
    assert len(streamed(published)) == 5_100 * 100
    notes = streamed(published, "stderr")
    assert "1,043,476 lines (104.3 MB) left out here" in notes and "write it to a file" in notes
    assert "execute_result" in kinds(published), "the value comes however much was printed"
    assert most - before < 40 * MEGABYTE
    assert streamed(kernel.execute('println!("next")')[1]) == "next\n"


def test_a_flood_without_end_can_be_interrupted(kernel):
    request = kernel.client.execute('loop { println!("{}", "y".repeat(1000)); }')
    while "left out" not in str(message := kernel.next_published(request)) and "rest is not shown" not in str(message):
        pass
    kernel.reply(kernel.control("interrupt_request"), "control")
    while "Interrupt again" not in str(kernel.next_published(request)):
        pass
    kernel.reply(kernel.control("interrupt_request"), "control")
    assert kernel.reply(request)["content"]["ename"] == "Interrupted"
    assert kinds(kernel.published(request)).count("error") == 1
    assert kernel.execute("1")[0]["status"] == "ok"


def test_threads_print_after_their_cell_and_as_its_output(kernel):
    request = kernel.client.execute("""
        let (go, wait) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || { wait.recv().unwrap(); println!("from the thread"); display(&MimeBundle::text("shown")); });
    """)
    kernel.reply(request)
    kernel.published(request)
    sent = kernel.client.execute("go.send(())?;")
    kernel.reply(sent)
    seen = [(kernel.next_published(sent)) for _ in range(2)]
    late = []
    while len(late) < 2:
        message = kernel.others.pop(0) if kernel.others else kernel.client.get_iopub_msg(timeout=SECONDS)
        if message["msg_type"] in ("stream", "display_data"):
            late.append(message)
    # It may have come while the cell that woke the thread still ran: that cell is the last then, too.
    assert [m["msg_type"] for m in late] == ["stream", "display_data"], seen
    assert late[0]["content"] == {"name": "stdout", "text": "from the thread\n"}
    assert {m["parent_header"]["msg_id"] for m in late} == {sent}


def test_a_thread_prints_while_no_cell_runs(kernel):
    request = kernel.client.execute("""
        std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(300)); println!("later"); });
    """)
    kernel.reply(request)
    assert streamed(kernel.published(request)) == ""
    message = kernel.client.get_iopub_msg(timeout=SECONDS)
    assert message["content"] == {"name": "stdout", "text": "later\n"}
    assert message["parent_header"]["msg_id"] == request


def test_the_death_of_an_idle_cell_process_is_told_once_with_what_is_lost(kernel):
    kernel.execute("fn kept() -> i32 { 7 }\nlet lost = vec![Some(1)]; let number = 2;")
    process = cell_process(kernel)
    os.kill(process.pid, signal.SIGKILL)
    message = kernel.client.get_iopub_msg(timeout=SECONDS)
    text = message["content"]["text"]
    assert message["msg_type"] == "stream" and message["content"]["name"] == "stderr"
    assert "gone: lost. Run again: [1]" in text and "kept()" not in text
    wait_until(lambda: any("cell" in c.cmdline() for c in kernel.process.children()), "another cell process")
    reply, published = kernel.execute("kept()")
    assert reply["status"] == "ok" and streamed(published, "stderr") == ""
    _, published = kernel.execute("number")
    assert [c["data"]["text/plain"] for kind, c in published if kind == "execute_result"] == ["2"]
    reply, published = kernel.execute("lost")
    assert reply["ename"] == "E0425" and kinds(published).count("error") == 1
    assert not psutil.pid_exists(process.pid)
    try:
        while True:
            assert "gone" not in str(kernel.client.get_iopub_msg(timeout=0.2)["content"])
    except queue.Empty:
        pass
