//! One notebook's life: requests come in, are worked on one after the other, and are answered.
//!
//! Shell requests are worked on in order, as Jupyter expects; control requests beside them, so that
//! an interrupt or a shutdown gets through while a cell runs. kernel_info needs no engine and is
//! answered while that still starts.

mod control;
mod evaluator;
mod execute;
mod help;
mod history;
mod info;
mod is_complete;
mod outside;

#[cfg(test)]
mod tests;

use crate::analysis::Analysis;
use crate::display::Output;
use crate::engine::SessionView;
use crate::protocol::{self, Incoming, IoPub, Reader, Replies, Sockets, Stdin};
use anyhow::Result;
use jupyter_protocol::{
    CommClose, CommInfoReply, CompleteReply, ConnectionInfo, InspectReply, InspectRequest,
    JupyterMessage, JupyterMessageContent, ReplyError, ReplyStatus, ShutdownReply, Status,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

use evaluator::{Evaluate, Evaluator, Interrupt, Update};
use history::History;
pub use history::directory as history_directory;

/// Serves one notebook until it is shut down.
///
/// `start` makes the engine; it runs on the engine's own thread, at once.
pub async fn serve<E, S>(info: &ConnectionInfo, start: S, analysis: Analysis) -> Result<()>
where
    E: Evaluate,
    S: FnMut(&mut dyn FnMut(&str)) -> Result<E> + Send + 'static,
{
    serve_with(info, start, analysis, History::of_user()).await
}

async fn serve_with<E, S>(
    info: &ConnectionInfo,
    start: S,
    analysis: Analysis,
    history: History,
) -> Result<()>
where
    E: Evaluate,
    S: FnMut(&mut dyn FnMut(&str)) -> Result<E> + Send + 'static,
{
    let id = uuid::Uuid::new_v4().to_string();
    let sockets = Sockets::bind(info, &id).await?;
    sockets.iopub.send(Status::starting(), None).await;
    let evaluator = Evaluator::spawn(start);

    let (ending, end) = mpsc::channel(1);
    let control = tokio::spawn(control::serve(
        sockets.control,
        sockets.control_replies,
        sockets.iopub.clone(),
        evaluator.interrupt(),
        ending.clone(),
    ));
    let watching = tokio::spawn(outside::watch(evaluator.interrupt(), ending.clone()));
    let (queue, requests) = mpsc::unbounded_channel();
    let reading = tokio::spawn(read(sockets.shell, queue));
    let mut session = Session {
        replies: sockets.shell_replies,
        iopub: sockets.iopub,
        stdin: sockets.stdin,
        requests,
        evaluator,
        analysis: Arc::new(analysis),
        view: SessionView::default(),
        history,
        count: 0,
        late: None,
        progress: Vec::new(),
        to_abort: 0,
        waiting_when_pressed: None,
        ending,
    };
    session.run(end).await;
    session.iopub.drained().await;
    session.evaluator.shut_down().await;
    session.analysis.shut_down();
    for task in sockets
        .background
        .into_iter()
        .chain([control, reading, watching])
    {
        task.abort();
    }
    // With the directory of the sockets.
    drop(sockets.gate);
    Ok(())
}

/// Takes requests off the socket while a cell runs, so that it is known what waits behind it.
async fn read(mut shell: Reader, queue: mpsc::UnboundedSender<Incoming>) {
    while let Some(incoming) = shell.next().await {
        if queue.send(incoming).is_err() {
            return;
        }
    }
}

/// Runs what may recurse deep on a thread with room for it.
async fn deep<T: Default + Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, done) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new()
        .stack_size(DEEP_STACK)
        .spawn(move || send.send(work()).is_ok());
    match started {
        Ok(_) => done.await.unwrap_or_default(),
        Err(_) => T::default(),
    }
}

/// The parser recurses as deep as brackets nest; only what is touched of this takes memory.
const DEEP_STACK: usize = 1 << 30;

/// The state of one notebook.
struct Session {
    replies: Replies,
    iopub: IoPub,
    stdin: Stdin,
    requests: mpsc::UnboundedReceiver<Incoming>,
    evaluator: Evaluator,
    analysis: Arc<Analysis>,
    /// What the cells so far have defined.
    view: SessionView,
    history: History,
    /// The number of the last cell.
    count: usize,
    /// The output of the last cell, to which belongs what its threads still print.
    late: Option<Output>,
    /// What the engine said of its start before there was a cell to say it in.
    progress: Vec<String>,
    /// How many requests were waiting when a cell failed, or was interrupted: the cells among them do not run.
    to_abort: usize,
    /// How many were waiting when the running cell was interrupted.
    waiting_when_pressed: Option<usize>,
    ending: mpsc::Sender<()>,
}

impl Session {
    async fn run(&mut self, mut end: mpsc::Receiver<()>) {
        loop {
            let incoming = tokio::select! {
                biased;
                _ = end.recv() => return,
                incoming = self.requests.recv() => incoming,
                update = self.evaluator.idle() => {
                    self.between_cells(update).await;
                    continue;
                }
                () = flush_due(self.late.as_ref()) => {
                    self.flush_late().await;
                    continue;
                }
            };
            let Some(incoming) = incoming else { return };
            // A shutdown does not wait for the cell that runs: that is dropped with its session.
            tokio::select! {
                biased;
                _ = end.recv() => return,
                () = self.answer(incoming) => {}
            }
        }
    }

    /// Takes what the engine says while no cell runs.
    async fn between_cells(&mut self, update: Update) {
        match update {
            Update::Progress(line) => self.progress.push(line),
            Update::Late(event) => {
                if let Some(late) = &mut self.late {
                    late.event(event).await;
                }
            }
            Update::View(view) => self.view = view,
            // Of a cell that was given up.
            Update::Event(_) | Update::Done(_) => {}
        }
    }

    async fn flush_late(&mut self) {
        if let Some(late) = &mut self.late {
            late.flush().await;
        }
    }

    async fn answer(&mut self, incoming: Incoming) {
        let aborted = self.to_abort > 0;
        self.to_abort = self.to_abort.saturating_sub(1);
        match incoming {
            Incoming::Request(parent) => {
                protocol::busy(&self.iopub, &parent).await;
                self.request(&parent, aborted).await;
                protocol::idle(&self.iopub, &parent).await;
            }
            Incoming::Malformed { parent, why } => {
                protocol::busy(&self.iopub, &parent).await;
                refuse(&mut self.replies, &parent, "MalformedRequest", &why).await;
                protocol::idle(&self.iopub, &parent).await;
            }
        }
    }

    async fn request(&mut self, parent: &JupyterMessage, aborted: bool) {
        match &parent.content {
            JupyterMessageContent::ExecuteRequest(_) if aborted => self.abort(parent).await,
            JupyterMessageContent::ExecuteRequest(request) => self.execute(parent, request).await,
            JupyterMessageContent::KernelInfoRequest(_) => {
                self.reply(parent, info::kernel_info().await).await;
            }
            JupyterMessageContent::CompleteRequest(request) => {
                let reply = self.complete(&request.code, request.cursor_pos).await;
                self.reply(parent, reply).await;
            }
            JupyterMessageContent::InspectRequest(request) => {
                let reply = self.inspect(request).await;
                self.reply(parent, reply).await;
            }
            JupyterMessageContent::IsCompleteRequest(request) => {
                let code = request.code.clone();
                self.reply(parent, deep(move || is_complete::is_complete(&code)).await)
                    .await;
            }
            JupyterMessageContent::HistoryRequest(request) => {
                let reply = self.history.answer(request);
                self.reply(parent, reply).await;
            }
            JupyterMessageContent::CommInfoRequest(_) => {
                self.reply(parent, CommInfoReply::default()).await;
            }
            JupyterMessageContent::CommOpen(open) => {
                // No target is registered here: the protocol's answer to that is to close it again.
                let close = CommClose {
                    comm_id: open.comm_id.clone(),
                    data: Map::new(),
                };
                self.iopub.send(close, Some(parent)).await;
            }
            JupyterMessageContent::CommMsg(_) | JupyterMessageContent::CommClose(_) => {}
            JupyterMessageContent::ShutdownRequest(request) => {
                let reply = ShutdownReply {
                    restart: request.restart,
                    ..ShutdownReply::default()
                };
                self.reply(parent, reply).await;
                let _ = self.ending.try_send(());
            }
            other => {
                let kind = other.message_type().to_owned();
                refuse_unknown(&mut self.replies, parent, &kind).await;
            }
        }
    }

    async fn reply(&mut self, parent: &JupyterMessage, content: impl Into<JupyterMessageContent>) {
        self.replies.send(parent, content, json!({})).await;
    }

    async fn complete(&mut self, code: &str, cursor: usize) -> CompleteReply {
        let found = self.analysis.complete(&self.view, code, cursor).await;
        let mut metadata = Map::new();
        metadata.insert(
            "_jupyter_types_experimental".to_owned(),
            found.types_metadata(),
        );
        if found.loading {
            metadata.insert("rust_dl".to_owned(), json!({"analysis": "loading"}));
        }
        CompleteReply {
            matches: found.matches.into_iter().map(|found| found.text).collect(),
            cursor_start: found.start,
            cursor_end: found.end,
            metadata,
            ..CompleteReply::default()
        }
    }

    async fn inspect(&mut self, request: &InspectRequest) -> InspectReply {
        let full = request.detail_level.is_some_and(|level| level > 0);
        let (code, cursor) = (&request.code, request.cursor_pos);
        match self.analysis.inspect(&self.view, code, cursor, full).await {
            Some(data) => InspectReply {
                found: true,
                data: crate::display::media(data),
                ..InspectReply::default()
            },
            None => InspectReply::default(),
        }
    }
}

/// Returns when what waits in `output` has to leave; never, when nothing waits.
async fn flush_due(output: Option<&Output>) {
    match output.and_then(Output::deadline) {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Answers a request that cannot be worked on.
async fn refuse(replies: &mut Replies, parent: &JupyterMessage, ename: &str, evalue: &str) {
    let error = ReplyError {
        ename: ename.to_owned(),
        evalue: evalue.to_owned(),
        traceback: vec![format!("{ename}: {evalue}")],
    };
    let content = jupyter_protocol::UnknownMessage {
        msg_type: parent.header.msg_type.replace("_request", "_reply"),
        content: with_status(&error),
    };
    replies.send(parent, content, json!({})).await;
}

fn with_status(error: &ReplyError) -> Value {
    json!({"status": ReplyStatus::Error, "ename": error.ename, "evalue": error.evalue,
           "traceback": error.traceback})
}

/// Answers a request of a kind that this kernel does not know. What is no request gets no answer.
async fn refuse_unknown(replies: &mut Replies, parent: &JupyterMessage, kind: &str) {
    if kind.ends_with("_request") {
        let why = format!("this kernel does not answer {kind} messages");
        refuse(replies, parent, "UnknownRequest", &why).await;
    } else {
        eprintln!("rust-dl: passed over a message of the kind {kind}");
    }
}
