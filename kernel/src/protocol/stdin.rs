//! The channel on which the kernel asks and the frontend answers.

use super::{Incoming, Reader, Replies};
use jupyter_protocol::{InputRequest, JupyterMessage, JupyterMessageContent, ReplyStatus};
use serde_json::json;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Replies that nobody has asked for are dropped beyond this many.
pub(super) const QUEUE: usize = 16;

/// What some frontends send for the end of the input, as IPython's kernel reads it.
const END_OF_TRANSMISSION: &str = "\u{4}";

/// A question of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The cell's name for it.
    pub number: u64,
    /// What to show.
    pub prompt: String,
    /// Whether what is typed must not be shown.
    pub password: bool,
}

/// Asks one question after the other.
pub struct Stdin {
    requests: Replies,
    replies: mpsc::Receiver<Incoming>,
    /// The question that is with the frontend, and its message's id.
    asked: Option<(Question, String)>,
    waiting: VecDeque<Question>,
}

impl Stdin {
    pub(super) fn new(requests: Replies, replies: mpsc::Receiver<Incoming>) -> Stdin {
        Stdin {
            requests,
            replies,
            asked: None,
            waiting: VecDeque::new(),
        }
    }

    /// Asks the frontend that sent `parent`, when the questions before have been answered. An
    /// error when it cannot be reached.
    pub async fn ask(&mut self, question: Question, parent: &JupyterMessage) -> Result<(), String> {
        if self.asked.is_some() {
            self.waiting.push_back(question);
            return Ok(());
        }
        // What came before was meant for an earlier question.
        while self.replies.try_recv().is_ok() {}
        let request = InputRequest {
            prompt: question.prompt.clone(),
            password: question.password,
        };
        let id = self.requests.deliver(parent, request, json!({})).await?;
        self.asked = Some((question, id));
        Ok(())
    }

    /// The next question that waited behind the one just answered.
    pub fn next_waiting(&mut self) -> Option<Question> {
        self.waiting.pop_front()
    }

    /// The answer to what was asked: the question's number, and the text unless the input has
    /// ended. Waits for ever while nothing is asked. May be dropped and called again.
    pub async fn answer(&mut self) -> (u64, Option<String>) {
        if self.asked.is_none() {
            std::future::pending::<()>().await;
        }
        while let Some(incoming) = self.replies.recv().await {
            let Some(text) = text_of(&incoming) else {
                continue;
            };
            match &self.asked {
                Some((_, id)) if answers(&incoming, id) => {}
                _ => continue,
            }
            if let Some((question, _)) = self.asked.take() {
                return (question.number, text);
            }
        }
        std::future::pending().await
    }

    /// The cell is over: whatever is still answered was not meant for the next one.
    pub fn forget(&mut self) {
        self.asked = None;
        self.waiting.clear();
    }
}

/// Takes replies off the socket, so that none waits there for a question to come.
pub(super) async fn read(mut socket: Reader, replies: mpsc::Sender<Incoming>) {
    while let Some(incoming) = socket.next().await {
        let _ = replies.try_send(incoming);
    }
}

/// Whether this is a reply to the message `id`. Some frontends leave the parent out.
fn answers(incoming: &Incoming, id: &str) -> bool {
    let (Incoming::Request(message)
    | Incoming::Malformed {
        parent: message, ..
    }) = incoming;
    let parent = message.parent_header.as_ref();
    parent.is_none_or(|parent| parent.msg_id == id)
}

/// What an input_reply says; the inner `None` is the end of the input. The outer one is for what
/// is no input_reply.
fn text_of(incoming: &Incoming) -> Option<Option<String>> {
    match incoming {
        Incoming::Request(message) => match &message.content {
            JupyterMessageContent::InputReply(reply) => {
                let ended = reply.status != ReplyStatus::Ok || reply.value == END_OF_TRANSMISSION;
                Some((!ended).then(|| reply.value.clone()))
            }
            _ => None,
        },
        // No text where one belongs, `null` for example: there is none.
        Incoming::Malformed { parent, .. } => {
            (parent.header.msg_type == "input_reply").then_some(None)
        }
    }
}
