"""Each message of the protocol: the fields it must have, and what the options of a request do."""

import json

import pytest
from client import Kernel, kinds, streamed, wait_until

ERROR = {"status", "ename", "evalue", "traceback"}
REPLIES = {
    "kernel_info_request": ({}, {
        "status", "protocol_version", "implementation", "implementation_version", "language_info", "banner",
        "debugger", "help_links", "supported_features"}),
    "execute_request": ({"code": "1"}, {"status", "execution_count", "user_expressions", "payload"}),
    "inspect_request": ({"code": "Tensor", "cursor_pos": 3}, {"status", "found", "data", "metadata"}),
    "complete_request": ({"code": "Ten", "cursor_pos": 3}, {
        "status", "matches", "cursor_start", "cursor_end", "metadata"}),
    "history_request": ({"hist_access_type": "tail", "n": 1, "output": False, "raw": True}, {"status", "history"}),
    "is_complete_request": ({"code": "1"}, {"status"}),
    "comm_info_request": ({}, {"status", "comms"}),
}


@pytest.mark.parametrize("kind", REPLIES)
def test_a_reply_has_every_field(shared, kind):
    content, fields = REPLIES[kind]
    message = shared.client.session.msg(kind, content)
    shared.client.shell_channel.send(message)
    reply = shared.reply(message["header"]["msg_id"])
    assert reply["msg_type"] == kind.replace("request", "reply")
    assert fields <= set(reply["content"]), fields - set(reply["content"])
    assert {"msg_id", "session", "username", "date", "msg_type", "version"} <= set(reply["header"])
    assert reply["header"]["version"] == "5.4" and reply["header"]["session"] != message["header"]["session"]
    published = shared.published(message["header"]["msg_id"])
    assert [c["execution_state"] for k, c in published if k == "status"] == ["busy", "idle"]


@pytest.mark.parametrize("kind", ["no_such_request", "create_subshell_request"])
@pytest.mark.parametrize("channel", ["shell", "control"])
def test_a_request_that_is_not_known_is_answered_with_an_error(shared, kind, channel):
    message = shared.client.session.msg(kind, {})
    getattr(shared.client, f"{channel}_channel").send(message)
    reply = shared.reply(message["header"]["msg_id"], channel)
    assert reply["msg_type"] == kind.replace("request", "reply")
    assert reply["content"]["status"] == "error" and ERROR <= set(reply["content"])


def test_kernel_info_says_what_the_language_is(shared):
    info = shared.reply(shared.client.kernel_info())["content"]
    assert {"name", "version", "mimetype", "file_extension", "pygments_lexer", "codemirror_mode",
            "nbconvert_exporter"} <= set(info["language_info"])
    assert info["debugger"] is False and info["supported_features"] == []
    assert all(set(link) == {"text", "url"} for link in info["help_links"])


def test_a_failure_has_the_same_fields_everywhere(shared):
    request = shared.client.execute('panic!("on purpose")')
    reply = shared.reply(request)["content"]
    error = next(c for kind, c in shared.published(request) if kind == "error")
    assert ERROR | {"execution_count"} <= set(reply)
    assert set(error) == ERROR - {"status"}


def test_what_is_not_to_be_stored_is_shown_and_not_counted(shared):
    _, before = shared.execute("0")
    count = before[1][1]["execution_count"]
    reply, published = shared.execute('println!("shown"); 1', store_history=False)
    assert streamed(published) == "shown\n" and "execute_result" in kinds(published)
    assert shared.execute("2")[0]["execution_count"] == count + 1


def test_completion_says_what_each_match_is(shared):
    shared.execute("let typed_name = 1u8;")
    reply = shared.reply(shared.client.complete("typed_n"))["content"]
    assert reply["matches"] == ["typed_name"]
    assert reply["metadata"]["_jupyter_types_experimental"] == [{
        "start": 0, "end": 7, "text": "typed_name", "type": "instance", "signature": "typed_name: u8"}]


@pytest.mark.parametrize("code, expected", [
    ('Dense::new(8).activation("re', "relu"),
    ('let é = "∂"; net.compile("rms', "rmsprop"),
    ('net.compile(RMSprop::new(), "categ', "categorical_crossentropy"),
    ('net.compile(RMSprop::new(), "mse", ["acc', "accuracy"),
    ('Dense::new(8).kernel_initializer("glo', "glorot_uniform"),
    ('EarlyStopping::new().monitor("val_lo', "val_loss"),
])
def test_names_are_completed_inside_strings(shared, code, expected):
    reply = shared.reply(shared.client.complete(code))["content"]
    assert expected in reply["matches"]
    begun = code[reply["cursor_start"]:reply["cursor_end"]]
    assert begun == code.rsplit('"', 1)[1]
    assert all(match.startswith(begun) for match in reply["matches"])


@pytest.mark.parametrize("code, expected", [
    ("Dense::new(10).activ", ["activation"]),
    ("datasets::", ["Sequences", "imdb", "mnist"]),
    (":ti", [":time", ":timing"]),
    ("let net = Sequential::new().add(Dense::new(1));\nnet.predic", ["predict"]),
])
def test_a_fresh_kernel_completes_without_waiting_for_rust_analyzer(kernel, code, expected):
    reply = kernel.reply(kernel.client.complete(code))["content"]
    assert set(expected) <= set(reply["matches"])
    offered = reply["metadata"]["_jupyter_types_experimental"]
    assert [one["text"] for one in offered] == reply["matches"]


def test_what_only_rust_analyzer_knows_is_said_to_come(kernel):
    reply = kernel.reply(kernel.client.complete("std::fs::"))["content"]
    assert (reply["matches"], reply["metadata"]["rust_dl"]) == ([], {"analysis": "loading"})
    reply = kernel.reply(kernel.client.inspect("std::fs::read_dir", 12))["content"]
    assert "still being loaded" in reply["data"]["text/plain"]


@pytest.mark.parametrize("code, expected", [
    ("network.fit(", "fn fit("),
    ("network.fit(&numbers, ", "fn fit("),
    ("Adam::new(", "fn new("),
    ("Dense::new(10", "fn new(units: usize)"),
    ("network.fit(&numbers, &numbers, Fit::epochs(3).batch_size(", "fn batch_size("),
])
def test_within_parentheses_the_function_is_described(shared, code, expected):
    shared.execute("let numbers = Tensor::zeros([2, 1]); let network = Sequential::new().add(Dense::new(1));")
    reply = shared.reply(shared.client.inspect(code, len(code)))["content"]
    text = reply["data"]["text/plain"]
    # The signature, then what it is for.
    assert reply["found"] and text.startswith(expected) and "\n\n" in text
    assert reply["data"]["text/markdown"].startswith("```rust\nfn ")


def test_private_parts_are_neither_offered_nor_shown(shared):
    assert "pub(" not in shared.reply(shared.client.inspect("Fit", 3))["content"]["data"]["text/plain"]
    offered = shared.reply(shared.client.complete("plot::"))["content"]["matches"]
    assert "image" in offered and "escape" not in offered


def test_more_detail_is_the_source(shared):
    shared.execute("/// Twice as much.\nfn twice(x: i32) -> i32 { x + x }")
    little = shared.reply(shared.client.inspect("twice", 3, detail_level=0))["content"]["data"]["text/plain"]
    much = shared.reply(shared.client.inspect("twice", 3, detail_level=1))["content"]["data"]["text/plain"]
    assert "twice" in little and "x + x" not in little
    assert "Twice as much" in much and "{ x + x }" in much


def page(reply):
    (payload,) = reply["payload"]
    assert payload["source"] == "page" and payload["start"] == 0
    return payload["data"]["text/plain"]


def test_help_is_a_question_mark_away(shared):
    shared.execute("/// Three times as much.\nfn thrice(x: i32) -> i32 { 3 * x }")
    assert "reshape" in page(shared.execute("Tensor::reshape?")[0])
    reply, published = shared.execute("thrice?")
    assert "3 * x" not in page(reply) and "error" not in kinds(published)
    assert "3 * x" in page(shared.execute("thrice??")[0])
    assert "no_such_thing" in page(shared.execute("?no_such_thing")[0])
    reply, published = shared.execute('let read: Result<i32, String> = Ok(5); read?')
    assert reply["payload"] == [] and "execute_result" in kinds(published)
    shared.execute("let again: Result<i32, String> = Ok(6);")
    reply, published = shared.execute("again?")
    assert ["6"] == [c["data"]["text/plain"] for kind, c in published if kind == "execute_result"], published


def history(kernel, **options):
    return kernel.reply(kernel.client.history(**options))["content"]["history"]


def test_history_lasts_over_sessions_and_two_kernels_share_it(tmp_path):
    state = {"XDG_STATE_HOME": str(tmp_path)}
    first = Kernel(**state)
    first.execute('"one"')
    first.execute('"two"')
    first.execute('"unstored"', store_history=False)
    first.end()
    file = tmp_path / "rust-dl" / "history.jsonl"
    assert file.stat().st_mode & 0o077 == 0 and len(file.read_text().splitlines()) == 2
    with file.open("ab") as damaged:
        damaged.write(b"\xff\xfe nonsense\n{\"session\": ")
    second, third = Kernel(**state), Kernel(**state)
    second.execute("// of the second\n2")
    third.execute('"one"')
    second.execute("22")
    tail = history(second, hist_access_type="tail", n=5, output=True)
    assert [entry[0] for entry in tail] == [1, 1, 3, 2, 2]
    assert tail[-1] == [2, 2, ["22", "22"]] and tail[0] == [1, 1, ['"one"', '"one"']]
    assert history(third, hist_access_type="range", session=0, start=1, stop=9) == [[3, 1, '"one"']]
    assert history(third, hist_access_type="range", session=-2, start=2, stop=3) == [[1, 2, '"two"']]
    search = {"hist_access_type": "search", "pattern": '"*"'}
    assert history(second, **search, unique=True) == [[1, 2, '"two"'], [3, 1, '"one"']]
    assert history(second, **search, n=1) == [[3, 1, '"one"']]
    assert len(history(second, **search)) == 3
    second.end()
    third.end()
    lines = []
    for line in file.read_text(errors="replace").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            pass
    assert len(lines) == 5


def test_comms_that_nobody_opened_are_passed_over(shared):
    for kind in ("comm_msg", "comm_close"):
        message = shared.client.session.msg(kind, {"comm_id": "unknown", "data": {}})
        shared.client.shell_channel.send(message)
        assert kinds(shared.published(message["header"]["msg_id"])) == ["status", "status"]


def test_a_silent_cell_is_not_in_history(kernel):
    kernel.execute('"quiet"', silent=True)
    assert '"quiet"' not in str(history(kernel, hist_access_type="tail", n=1))


def test_rust_analyzer_knows_what_the_session_defined(shared):
    shared.execute("struct Inspected { depth: u8 }\nlet inspected_one = Inspected { depth: 3 };")

    def knows():
        reply = shared.reply(shared.client.complete("inspected_one.de"))["content"]
        return "depth" in reply["matches"]

    wait_until(knows, "completion of a field")
