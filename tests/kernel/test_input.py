"""`input` and `input_password`: what the notebook is asked, and what the cell gets."""

import pytest
from client import SECONDS, kinds, streamed


def asked(kernel):
    """The next question of a cell: an input_request."""
    message = kernel.client.get_stdin_msg(timeout=SECONDS)
    assert message["msg_type"] == "input_request"
    return message


def result(published):
    return [c["data"]["text/plain"] for kind, c in published if kind == "execute_result"]


def finish(kernel, request):
    return kernel.reply(request)["content"], kernel.published(request)


def test_a_line_is_asked_for_and_comes_unchanged(shared):
    request = shared.client.execute('print!("before"); let name = input("Größe ∂? ")?; name')
    question = asked(shared)
    assert question["content"] == {"prompt": "Größe ∂? ", "password": False}
    assert question["parent_header"]["msg_id"] == request
    shared.client.input("  ½ 😀 ")
    reply, published = finish(shared, request)
    assert reply["status"] == "ok" and streamed(published) == "before"
    assert result(published) == ['"  ½ 😀 "']
    assert kinds(published).index("stream") < kinds(published).index("execute_result")


def test_a_password_is_asked_for_as_one(shared):
    request = shared.client.execute('input_password("Key: ")?.len()')
    assert asked(shared)["content"] == {"prompt": "Key: ", "password": True}
    shared.client.input("secret")
    assert result(finish(shared, request)[1]) == ["6"]


def test_two_questions_in_one_cell(shared):
    request = shared.client.execute('let a = input("a")?; println!("{a}"); let b = input("b")?; b + &a')
    for name in ("a", "b"):
        assert asked(shared)["content"]["prompt"] == name
        shared.client.input(f"<{name}>")
    reply, published = finish(shared, request)
    assert streamed(published) == "<a>\n" and result(published) == ['"<b><a>"']


def test_questions_of_two_threads_come_one_after_the_other(shared):
    request = shared.client.execute("""
        let threads: Vec<_> = ["x", "y"].map(|name| std::thread::spawn(move || input(name).map(|got| name.to_owned() + &got))).into();
        let mut got: Vec<String> = threads.into_iter().map(|one| one.join().unwrap().unwrap()).collect();
        got.sort(); got
    """)
    for _ in range(2):
        prompt = asked(shared)["content"]["prompt"]
        shared.client.input(prompt.upper())
    assert result(finish(shared, request)[1]) == ['["xX", "yY"]']


@pytest.mark.parametrize("content", [{"value": "\x04"}, {"value": None}, {"status": "error"}])
def test_the_end_of_input_is_an_error_that_can_be_caught(shared, content):
    request = shared.client.execute('let line = input("?")?; line')
    asked(shared)
    shared.client.stdin_channel.send(shared.client.session.msg("input_reply", content))
    reply, published = finish(shared, request)
    assert reply["status"] == "error" and "input has ended" in reply["evalue"]
    assert kinds(published).count("error") == 1
    request = shared.client.execute('input("?").is_err()')
    asked(shared)
    shared.client.stdin_channel.send(shared.client.session.msg("input_reply", content))
    assert result(finish(shared, request)[1]) == ["true"]


def test_an_answer_to_an_earlier_question_is_passed_over(shared):
    # One that nobody asked for, and one whose parent is another question.
    shared.client.input("early")
    shared.execute("1")
    request = shared.client.execute('input("now?")?')
    question = asked(shared)
    session = shared.client.session
    late = session.msg("input_reply", {"value": "late"}, parent=session.msg("input_request", {}))
    shared.client.stdin_channel.send(late)
    right = session.msg("input_reply", {"value": "right"}, parent=question)
    shared.client.stdin_channel.send(right)
    assert result(finish(shared, request)[1]) == ['"right"']


def test_where_nobody_can_be_asked_the_error_says_so(shared):
    reply, published = shared.execute('input("?")?', allow_stdin=False)
    assert reply["status"] == "error" and "allow_stdin" in reply["evalue"]
    assert kinds(published).count("error") == 1
    reply, _ = shared.execute("1", user_expressions={"asked": 'input("?").is_err()'})
    assert reply["user_expressions"]["asked"]["data"] == {"text/plain": "true"}


def test_an_interrupt_ends_the_wait_and_keeps_the_session(kernel):
    kernel.execute("let kept = 3;")
    request = kernel.client.execute('let never = input("?")?;')
    asked(kernel)
    interrupt = kernel.control("interrupt_request")
    reply, published = finish(kernel, request)
    assert reply["status"] == "error" and "interrupted" in reply["evalue"]
    kernel.published(interrupt)
    # What is typed now was for the question that is gone.
    kernel.client.input("too late")
    assert result(kernel.execute("kept")[1]) == ["3"]
    request = kernel.client.execute('input("again?")?')
    assert asked(kernel)["content"]["prompt"] == "again?"
    kernel.client.input("yes")
    assert result(finish(kernel, request)[1]) == ['"yes"']
