//! The session over real sockets, with an engine that does what each test's cell says.

use super::History;
use super::evaluator::{Evaluate, Reach, plain_error, wait_for};
use crate::analysis::Analysis;
use crate::engine::{Event, Outcome, SessionView, Timing, Variable};
use jupyter_protocol::{ConnectionInfo, JupyterMessage, JupyterMessageContent, Transport};
use jupyter_zmq_client as zmq;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;
use tokio::task::JoinHandle;

/// An engine whose cells are scripts, a step a line.
#[derive(Clone, Default)]
struct Scripted {
    stopped: Arc<(Mutex<bool>, Condvar)>,
    /// What a thread of a cell prints when the cell is over.
    later: VecDeque<String>,
}

impl Evaluate for Scripted {
    fn evaluate(
        &mut self,
        code: &str,
        _cell: u32,
        sink: &mut dyn FnMut(Event),
    ) -> (Outcome, Timing) {
        *self.stopped.0.lock().unwrap() = false;
        let mut outcome = Outcome::Done;
        for line in code.lines() {
            let (step, rest) = line.split_once(' ').unwrap_or((line, ""));
            match step {
                "out" => sink(Event::Stdout(format!("{rest}\n").into_bytes())),
                "err" => sink(Event::Stderr(format!("{rest}\n").into_bytes())),
                "later" => self.later.push_back(format!("{rest}\n")),
                "flood" => {
                    for _ in 0..rest.parse().unwrap() {
                        sink(Event::Stdout(vec![b'x'; 1 << 16]));
                    }
                }
                "lines" => {
                    let numbers = 0..rest.parse::<usize>().unwrap();
                    let lines = numbers.map(|number| format!("{number}\n"));
                    sink(Event::Stdout(lines.collect::<String>().into_bytes()));
                }
                "bytes" => sink(Event::Stdout(vec![rest.parse().unwrap()])),
                "value" => sink(Event::Result {
                    data: text(rest),
                    metadata: Map::new(),
                }),
                "show" | "update" => sink(Event::Display {
                    data: text(rest),
                    metadata: Map::new(),
                    display_id: Some("id-1".to_owned()),
                    update: step == "update",
                }),
                "clear" => sink(Event::Clear { wait: true }),
                "fail" => outcome = Outcome::Failed(plain_error("E0382", rest)),
                "wait" => {
                    let (stopped, changed) = &*self.stopped;
                    let mut stopped = stopped.lock().unwrap();
                    while !*stopped {
                        stopped = changed.wait(stopped).unwrap();
                    }
                    outcome = Outcome::Failed(plain_error("Interrupted", "stopped"));
                }
                other => panic!("no such step: {other}"),
            }
        }
        let timing = Timing {
            builds: 1,
            ..Timing::default()
        };
        (outcome, timing)
    }

    fn idle(&mut self, woken: &UnixStream, sink: &mut dyn FnMut(Event)) -> bool {
        match self.later.pop_front() {
            Some(line) => sink(Event::Stdout(line.into_bytes())),
            None => wait_for(woken),
        }
        false
    }

    fn view(&self) -> SessionView {
        SessionView {
            items: vec![],
            crates: vec![],
            variables: vec![Variable {
                name: "network".to_owned(),
                type_name: "Sequential".to_owned(),
                mutable: true,
            }],
        }
    }

    fn reach(&self) -> Reach {
        let stopped = self.stopped.clone();
        Reach {
            stop: Arc::new(move || {
                *stopped.0.lock().unwrap() = true;
                stopped.1.notify_all();
            }),
            answer: Arc::new(|_, _| {}),
        }
    }
}

fn text(text: &str) -> Map<String, Value> {
    [("text/plain".to_owned(), Value::from(text))]
        .into_iter()
        .collect()
}

/// A kernel in this process and a client of it.
struct Client {
    info: ConnectionInfo,
    shell: zmq::ClientShellConnection,
    control: zmq::ClientControlConnection,
    iopub: zmq::ClientIoPubConnection,
    kernel: JoinHandle<anyhow::Result<()>>,
    _home: tempfile::TempDir,
}

const LONG: Duration = Duration::from_secs(20);

impl Client {
    async fn new() -> Client {
        Client::with_start(|_| Ok(Scripted::default())).await
    }

    async fn with_start<S>(start: S) -> Client
    where
        S: FnMut(&mut dyn FnMut(&str)) -> anyhow::Result<Scripted> + Send + 'static,
    {
        let (ports, held) = zmq::peek_ports_with_listeners([127, 0, 0, 1].into(), 5)
            .await
            .unwrap();
        let info = ConnectionInfo {
            ip: "127.0.0.1".to_owned(),
            transport: Transport::TCP,
            shell_port: ports[0],
            iopub_port: ports[1],
            stdin_port: ports[2],
            control_port: ports[3],
            hb_port: ports[4],
            key: "secret".to_owned(),
            signature_scheme: "hmac-sha256".to_owned(),
            kernel_name: None,
        };
        drop(held);
        let home = tempfile::tempdir().unwrap();
        let (served, analysis) = (info.clone(), Analysis::without_worker(home.path().into()));
        let kernel = tokio::spawn(async move {
            super::serve_with(&served, start, analysis, History::in_memory()).await
        });
        let (shell, control, iopub) = connect(&info).await;
        Client {
            info,
            shell,
            control,
            iopub,
            kernel,
            _home: home,
        }
    }

    async fn send(&mut self, content: impl Into<JupyterMessageContent>) -> String {
        let message = JupyterMessage::new(content, None);
        let id = message.header.msg_id.clone();
        self.shell.send(message).await.unwrap();
        id
    }

    async fn send_control(&mut self, content: impl Into<JupyterMessageContent>) -> String {
        let message = JupyterMessage::new(content, None);
        let id = message.header.msg_id.clone();
        self.control.send(message).await.unwrap();
        id
    }

    async fn reply(&mut self) -> (String, Value) {
        let reply = tokio::time::timeout(LONG, self.shell.read())
            .await
            .expect("a reply")
            .unwrap();
        described(&reply)
    }

    /// What is published for the request up to and with its idle, as `(kind, content)`.
    async fn published(&mut self, request: &str) -> Vec<(String, Value)> {
        let mut seen = Vec::new();
        loop {
            let message = tokio::time::timeout(LONG, self.iopub.read())
                .await
                .expect("an iopub message")
                .unwrap();
            let parent = message.parent_header.as_ref().map(|h| h.msg_id.as_str());
            if parent != Some(request) {
                continue;
            }
            let (kind, content) = described(&message);
            let idle = content["execution_state"] == "idle";
            seen.push((kind, content));
            if idle {
                return seen;
            }
        }
    }

    async fn execute(&mut self, code: &str) -> (Value, Vec<(String, Value)>) {
        let request = self.send(cell(code)).await;
        let (kind, reply) = self.reply().await;
        assert_eq!(kind, "execute_reply");
        (reply, self.published(&request).await)
    }

    async fn end(mut self) {
        self.send_control(jupyter_protocol::ShutdownRequest { restart: false })
            .await;
        tokio::time::timeout(LONG, self.kernel)
            .await
            .expect("the kernel ends")
            .unwrap()
            .unwrap();
    }
}

async fn connect(
    info: &ConnectionInfo,
) -> (
    zmq::ClientShellConnection,
    zmq::ClientControlConnection,
    zmq::ClientIoPubConnection,
) {
    let identity = zmq::peer_identity_for_session("client").unwrap();
    // The client retries until the kernel has bound its sockets.
    let shell = zmq::create_client_shell_connection_with_identity(info, "client", identity);
    let shell = shell.await.unwrap();
    let control = zmq::create_client_control_connection(info, "client");
    let control = control.await.unwrap();
    let mut iopub = zmq::create_client_iopub_connection(info, "", "client")
        .await
        .unwrap();
    let welcome = tokio::time::timeout(LONG, iopub.read())
        .await
        .expect("a welcome")
        .unwrap();
    assert_eq!(welcome.message_type(), "iopub_welcome");
    assert_eq!(welcome.header.version, "5.4");
    (shell, control, iopub)
}

fn cell(code: &str) -> jupyter_protocol::ExecuteRequest {
    jupyter_protocol::ExecuteRequest::new(code.to_owned())
}

fn described(message: &JupyterMessage) -> (String, Value) {
    (
        message.header.msg_type.clone(),
        serde_json::to_value(&message.content).unwrap(),
    )
}

fn kinds(published: &[(String, Value)]) -> Vec<&str> {
    published.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_publishes_in_order_between_busy_and_idle() {
    let mut client = Client::new().await;
    let (reply, published) = client
        .execute("out a\nerr b\nout c\nshow chart\nupdate chart 2\nclear\nvalue 42")
        .await;
    assert_eq!(
        kinds(&published),
        [
            "status",
            "execute_input",
            "stream",
            "stream",
            "stream",
            "display_data",
            "update_display_data",
            "clear_output",
            "execute_result",
            "status"
        ]
    );
    assert_eq!(published[1].1["execution_count"], 1);
    assert_eq!(published[3].1, json!({"name": "stderr", "text": "b\n"}));
    assert_eq!(published[5].1["transient"], json!({"display_id": "id-1"}));
    assert_eq!(published[6].1["data"], json!({"text/plain": "chart 2"}));
    assert_eq!(published[8].1["data"], json!({"text/plain": "42"}));
    assert_eq!(reply["status"], "ok");
    assert_eq!(reply["execution_count"], 1);
    assert_eq!(reply["user_expressions"], json!({}));
    let (reply, _) = client.execute("out x").await;
    assert_eq!(reply["execution_count"], 2);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_comes_while_the_cell_runs_and_an_interrupt_ends_it() {
    let mut client = Client::new().await;
    let request = client.send(cell("out before\nbytes 226\nwait")).await;
    loop {
        let message = tokio::time::timeout(LONG, client.iopub.read())
            .await
            .expect("the stream comes while the cell runs")
            .unwrap();
        let (kind, content) = described(&message);
        if kind == "stream" {
            assert_eq!(content["text"], "before\n");
            break;
        }
    }
    client
        .send_control(jupyter_protocol::InterruptRequest {})
        .await;
    let reply = client.control.read().await.unwrap();
    assert_eq!(
        described(&reply),
        ("interrupt_reply".into(), json!({"status": "ok"}))
    );
    let (_, reply) = client.reply().await;
    assert_eq!(reply["status"], "error");
    assert_eq!(reply["ename"], "Interrupted");
    let rest = client.published(&request).await;
    // The half character comes out at the end, as what it is not.
    assert_eq!(kinds(&rest), ["stream", "error", "status"]);
    assert_eq!(rest[0].1["text"], "\u{fffd}");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_a_cell_is_its_output_though_no_other_runs() {
    let mut client = Client::new().await;
    let request = client.send(cell("out now\nlater a\nlater b")).await;
    client.reply().await;
    client.published(&request).await;
    let mut text = String::new();
    while text != "a\nb\n" {
        let message = tokio::time::timeout(LONG, client.iopub.read())
            .await
            .expect("the late output")
            .unwrap();
        assert_eq!(message.parent_header.as_ref().unwrap().msg_id, request);
        text += described(&message).1["text"].as_str().unwrap();
    }
    let (reply, published) = client.execute("out next").await;
    assert_eq!(reply["status"], "ok");
    assert_eq!(published[2].1["text"], "next\n");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_cut_off_with_a_note_and_the_next_cell_is_shown() {
    let mut client = Client::new().await;
    let (reply, published) = client.execute("flood 1600\nout end\nvalue 1").await;
    assert_eq!(reply["status"], "ok");
    let text = |name: &str| {
        let of_stream = published
            .iter()
            .filter(|(_, content)| content["name"] == name);
        of_stream
            .map(|(_, content)| content["text"].as_str().unwrap())
            .collect::<String>()
    };
    let (first, last) = (1 << 20, 64 << 10);
    assert_eq!(text("stdout"), "x".repeat(first + last - 4) + "end\n");
    assert!(text("stderr").contains("the cell runs on"));
    assert!(text("stderr").contains("[0 lines (103.7 MB) left out here"));
    assert_eq!(
        kinds(&published)
            .iter()
            .filter(|kind| **kind == "execute_result")
            .count(),
        1
    );
    let (_, published) = client.execute("out mine").await;
    assert_eq!(published[2].1["text"], "mine\n");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_threads_print_beyond_the_limit_ends_their_cell() {
    let mut client = Client::new().await;
    let request = client.send(cell("lines 5000\nlater after")).await;
    let next = "out next";
    client.reply().await;
    client.published(&request).await;
    let mut asked = String::new();
    let mut told = String::new();
    while !told.ends_with("after\n") {
        let message = tokio::time::timeout(LONG, client.iopub.read())
            .await
            .expect("the end of what the thread printed")
            .unwrap();
        let parent = message.parent_header.as_ref().unwrap().msg_id.clone();
        let (kind, content) = described(&message);
        if kind != "stream" {
            continue;
        }
        assert_ne!(parent, asked, "it is of the cell before");
        told += content["text"].as_str().unwrap();
        if asked.is_empty() && told.contains("the cell runs on") {
            asked = client.send(cell(next)).await;
        }
    }
    client.reply().await;
    let published = client.published(&asked).await;
    assert!(
        published
            .iter()
            .any(|(_, content)| content["text"] == "next\n")
    );
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_one_error_and_aborts_what_waits() {
    let mut client = Client::new().await;
    let first = client.send(cell("wait")).await;
    let second = client.send(cell("out never")).await;
    client.send(jupyter_protocol::KernelInfoRequest {}).await;
    // All three have arrived when the control channel, asked last, has answered and they are busy.
    let busy = client.iopub.read().await.unwrap();
    assert_eq!(busy.parent_header.unwrap().msg_id, first);
    wait_until_queued().await;
    client
        .send_control(jupyter_protocol::InterruptRequest {})
        .await;
    let (_, failed) = client.reply().await;
    assert_eq!(failed["traceback"].as_array().unwrap().len(), 1);
    let (_, aborted) = client.reply().await;
    assert_eq!(aborted["status"], "aborted");
    let (kind, _) = client.reply().await;
    assert_eq!(kind, "kernel_info_reply");
    let of_first = client.published(&first).await;
    let errors = of_first.iter().filter(|(kind, _)| kind == "error").count();
    assert_eq!(errors, 1);
    let of_second = client.published(&second).await;
    assert_eq!(kinds(&of_second), ["status", "status"]);
    let (reply, _) = client.execute("value 1").await;
    assert_eq!(
        (&reply["status"], &reply["execution_count"]),
        (&json!("ok"), &json!(2))
    );
    client.end().await;
}

/// The kernel's reader takes requests off the socket at once; give it the processor.
async fn wait_until_queued() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_cell_publishes_nothing_and_does_not_count() {
    let mut client = Client::new().await;
    let request = jupyter_protocol::ExecuteRequest {
        silent: true,
        store_history: false,
        ..cell("out x\nvalue 1\nfail y")
    };
    let id = client.send(request).await;
    let (_, reply) = client.reply().await;
    assert_eq!(reply["ename"], "E0382");
    assert_eq!(kinds(&client.published(&id).await), ["status", "status"]);
    let (reply, _) = client.execute("value 1").await;
    assert_eq!(reply["execution_count"], 1);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_expressions_are_evaluated() {
    let mut client = Client::new().await;
    let request = jupyter_protocol::ExecuteRequest {
        user_expressions: Some(
            [("a", "value 7"), ("b", "fail no"), ("c", "out shy")]
                .map(|(name, code)| (name.to_owned(), code.to_owned()))
                .into(),
        ),
        ..cell("out x")
    };
    client.send(request).await;
    let (_, reply) = client.reply().await;
    let answers = &reply["user_expressions"];
    assert_eq!(answers["a"]["data"], json!({"text/plain": "7"}));
    assert_eq!(answers["b"]["ename"], "E0382");
    assert_eq!(answers["c"]["ename"], "NoValue");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kernel_info_does_not_wait_for_the_engine_and_a_cell_does() {
    let (go, gate) = mpsc::channel::<()>();
    let mut client = Client::with_start(move |progress| {
        progress("building dlcore");
        gate.recv().unwrap();
        Ok(Scripted::default())
    })
    .await;
    client.send(jupyter_protocol::KernelInfoRequest {}).await;
    let (_, info) = client.reply().await;
    assert_eq!(info["protocol_version"], "5.4");
    assert_eq!(info["language_info"]["name"], "rust");
    let request = client.send(cell("out ran")).await;
    go.send(()).unwrap();
    let (_, reply) = client.reply().await;
    assert_eq!(reply["status"], "ok");
    let published = client.published(&request).await;
    assert_eq!(
        published[2].1,
        json!({"name": "stderr", "text": "building dlcore\n"})
    );
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_that_waits_for_the_engine_can_be_interrupted() {
    let (go, gate) = mpsc::channel::<()>();
    let mut client = Client::with_start(move |_| {
        gate.recv().unwrap();
        Ok(Scripted::default())
    })
    .await;
    let request = client.send(cell("out never")).await;
    let busy = client.iopub.read().await.unwrap();
    assert_eq!(busy.parent_header.unwrap().msg_id, request);
    let input = client.iopub.read().await.unwrap();
    assert_eq!(input.message_type(), "execute_input");
    wait_until_queued().await;
    client
        .send_control(jupyter_protocol::InterruptRequest {})
        .await;
    let (_, reply) = client.reply().await;
    assert_eq!(reply["ename"], "Interrupted");
    go.send(()).unwrap();
    let (reply, published) = client.execute("out later").await;
    assert_eq!(reply["status"], "ok");
    assert_eq!(published[2].1["text"], "later\n");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_does_not_start_says_so_and_is_tried_again() {
    let mut tries = 0;
    let mut client = Client::with_start(move |_| {
        tries += 1;
        if tries == 1 {
            anyhow::bail!("rustc is not there")
        }
        Ok(Scripted::default())
    })
    .await;
    let (reply, _) = client.execute("out x").await;
    assert_eq!(reply["ename"], "EngineStart");
    assert!(
        reply["evalue"]
            .as_str()
            .unwrap()
            .contains("rustc is not there")
    );
    let (reply, _) = client.execute("out x").await;
    assert_eq!(reply["status"], "ok");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_broken_messages_are_dropped_and_the_next_is_answered() {
    let mut client = Client::new().await;
    let forged = ConnectionInfo {
        key: "another".to_owned(),
        ..client.info.clone()
    };
    let identity = zmq::peer_identity_for_session("forger").unwrap();
    let mut forger = zmq::create_client_shell_connection_with_identity(&forged, "forger", identity)
        .await
        .unwrap();
    forger
        .send(JupyterMessage::new(cell("out forged"), None))
        .await
        .unwrap();
    use zeromq::SocketSend as _;
    for frames in [
        vec!["x"],
        vec!["<IDS|MSG>"],
        vec!["<IDS|MSG>", "not hex", "{}", "{}", "{}", "{}"],
        vec!["<IDS|MSG>", "", "", "", ""],
    ] {
        let mut message = zeromq::ZmqMessage::from(frames[0].as_bytes().to_vec());
        for frame in &frames[1..] {
            message.push_back(frame.as_bytes().to_vec().into());
        }
        forger.socket.send(message).await.unwrap();
    }
    client
        .send(jupyter_protocol::UnknownMessage {
            msg_type: "complete_request".to_owned(),
            content: json!({"code": 3}),
        })
        .await;
    let (kind, reply) = client.reply().await;
    assert_eq!(
        (kind.as_str(), &reply["status"]),
        ("complete_reply", &json!("error"))
    );
    let (reply, published) = client.execute("out mine").await;
    assert_eq!(reply["execution_count"], 1, "the forged cell did not run");
    assert_eq!(published[2].1["text"], "mine\n");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_requests() {
    let mut client = Client::new().await;
    client.execute("out x").await;
    client
        .send(jupyter_protocol::CompleteRequest {
            code: "let é = netw".to_owned(),
            cursor_pos: 12,
        })
        .await;
    let (_, reply) = client.reply().await;
    assert_eq!(reply["matches"], json!(["network"]));
    assert_eq!(
        (&reply["cursor_start"], &reply["cursor_end"]),
        (&json!(8), &json!(12))
    );

    client
        .send(jupyter_protocol::InspectRequest {
            code: "network".to_owned(),
            cursor_pos: 3,
            detail_level: None,
        })
        .await;
    let (_, reply) = client.reply().await;
    assert_eq!(reply["found"], true);
    assert_eq!(reply["data"]["text/plain"], "let mut network: Sequential");

    client
        .send(jupyter_protocol::IsCompleteRequest {
            code: "if x {".to_owned(),
        })
        .await;
    let (_, reply) = client.reply().await;
    assert_eq!(reply, json!({"status": "incomplete", "indent": "    "}));

    client
        .send(jupyter_protocol::HistoryRequest::Tail {
            n: 5,
            output: false,
            raw: true,
        })
        .await;
    let (_, reply) = client.reply().await;
    assert_eq!(reply["history"], json!([[1, 1, "out x"]]));

    client
        .send(jupyter_protocol::CommInfoRequest::default())
        .await;
    let (_, reply) = client.reply().await;
    assert_eq!(reply["comms"], json!({}));

    let open = client
        .send(jupyter_protocol::CommOpen {
            comm_id: "c1".to_owned().into(),
            target_name: "widget".to_owned(),
            ..Default::default()
        })
        .await;
    let published = client.published(&open).await;
    assert_eq!(kinds(&published), ["status", "comm_close", "status"]);
    assert_eq!(published[1].1["comm_id"], "c1");

    let debug = client
        .send_control(jupyter_protocol::DebugRequest {
            content: json!({"command": "initialize", "seq": 4, "type": "request"}),
        })
        .await;
    let (_, reply) = described(&client.control.read().await.unwrap());
    assert_eq!(
        (&reply["success"], &reply["request_seq"]),
        (&json!(false), &json!(4))
    );
    assert_eq!(kinds(&client.published(&debug).await), ["status", "status"]);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_a_kernel_whose_cell_runs() {
    let mut client = Client::new().await;
    let request = client.send(cell("wait")).await;
    let busy = client.iopub.read().await.unwrap();
    assert_eq!(busy.parent_header.unwrap().msg_id, request);
    client
        .send_control(jupyter_protocol::ShutdownRequest { restart: true })
        .await;
    let (kind, reply) = described(&client.control.read().await.unwrap());
    assert_eq!(
        (kind.as_str(), &reply["restart"]),
        ("shutdown_reply", &json!(true))
    );
    tokio::time::timeout(LONG, client.kernel)
        .await
        .expect("the kernel ends")
        .unwrap()
        .unwrap();
}
