//! What a running cell sends out, as Jupyter's messages: streams in batches, everything in order.

mod allowance;

use crate::engine::Event;
use crate::protocol::IoPub;
use allowance::Allowance;
use jupyter_protocol::{
    ClearOutput, DisplayData, ErrorOutput, ExecuteResult, ExecutionCount, JupyterMessage, Media,
    MediaType, Stdio, StreamContent, Transient, UpdateDisplayData,
};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::Instant;

/// How long output of a stream may wait for more of it.
const BATCH: Duration = Duration::from_millis(50);
/// How many bytes may wait before they leave anyway.
const BATCH_BYTES: usize = 64 * 1024;

/// The output of one cell on its way to the notebook.
pub struct Output {
    iopub: IoPub,
    parent: JupyterMessage,
    count: usize,
    silent: bool,
    streams: Batches,
    allowance: Allowance,
    /// When the batch that waits has to leave.
    deadline: Option<Instant>,
    /// The cell's value, once it has come.
    pub result: Option<Map<String, Value>>,
}

impl Output {
    /// Output of the cell that `parent` asked for. A silent cell publishes nothing.
    pub fn new(iopub: &IoPub, parent: &JupyterMessage, count: usize, silent: bool) -> Self {
        Output {
            iopub: iopub.clone(),
            parent: parent.clone(),
            count,
            silent,
            streams: Batches::default(),
            allowance: Allowance::default(),
            deadline: None,
            result: None,
        }
    }

    /// When [`Output::flush`] is due, if anything waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes the cell's next event.
    pub async fn event(&mut self, event: Event) {
        match event {
            Event::Stdout(bytes) => self.stream(Name::Stdout, &bytes).await,
            Event::Stderr(bytes) => self.stream(Name::Stderr, &bytes).await,
            Event::Note(text) => {
                self.flush().await;
                self.publish_stream(Name::Stderr, text).await;
            }
            Event::Display {
                data,
                metadata,
                display_id,
                update,
            } => {
                self.flush().await;
                self.display(data, metadata, display_id, update).await;
            }
            // Questions go another way: the session asks them.
            Event::Input { .. } => self.flush().await,
            Event::Clear { wait } => {
                self.flush().await;
                self.publish(ClearOutput { wait }).await;
            }
            Event::Result { data, metadata } => {
                self.flush().await;
                self.result = Some(data.clone());
                self.publish(ExecuteResult {
                    execution_count: ExecutionCount::new(self.count),
                    data: media(data),
                    metadata,
                    transient: Some(Transient::default()),
                })
                .await;
            }
        }
    }

    /// Sends what waits, except the beginning of a character whose end has not come yet.
    pub async fn flush(&mut self) {
        self.deadline = None;
        if let Some((name, text)) = self.streams.take() {
            self.publish_stream(name, text).await;
        }
    }

    /// Sends everything that is left. Only threads of the cell may print more.
    pub async fn finish(&mut self) {
        self.flush().await;
        for (name, text) in self.streams.take_tails() {
            self.publish_stream(name, text).await;
        }
        if let Some((note, last)) = self.allowance.end() {
            if let Some(note) = note {
                self.publish_stream(Name::Stderr, note).await;
            }
            for (name, bytes) in last {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.publish_stream(name, text).await;
            }
        }
    }

    /// Publishes the one `error` of a failed cell.
    pub async fn error(&mut self, error: ErrorOutput) {
        self.finish().await;
        self.publish(error).await;
    }

    async fn stream(&mut self, name: Name, bytes: &[u8]) {
        let bytes = self.allowance.admit(name, bytes);
        if let Some((other, text)) = self.streams.push(name, bytes) {
            self.allowance.charge_change();
            self.publish_stream(other, text).await;
        }
        if let Some(note) = self.allowance.first_note() {
            self.flush().await;
            // Half a character at the very end is no character.
            self.streams.take_tails();
            self.publish_stream(Name::Stderr, note).await;
        }
        if self.streams.waiting() >= BATCH_BYTES {
            self.flush().await;
        } else if self.streams.waiting() > 0 {
            self.deadline.get_or_insert_with(|| Instant::now() + BATCH);
        }
    }

    /// Displays leave at a bounded rate, too: an update that is overtaken at once is seen by nobody.
    async fn display(
        &mut self,
        data: Map<String, Value>,
        metadata: Map<String, Value>,
        display_id: Option<String>,
        update: bool,
    ) {
        let data = media(data);
        self.iopub.paced(0).await;
        if update && display_id.is_some() {
            let transient = Transient { display_id };
            self.publish(UpdateDisplayData {
                data,
                metadata,
                transient,
            })
            .await;
        } else {
            let transient = Some(Transient { display_id });
            self.publish(DisplayData {
                data,
                metadata,
                transient,
            })
            .await;
        }
    }

    /// Streams leave at a bounded rate, which the cell comes to feel when it prints faster.
    async fn publish_stream(&self, name: Name, text: String) {
        if !self.silent {
            self.iopub.paced(text.len()).await;
            self.publish(stream_content(name, text)).await;
        }
    }

    async fn publish(&self, content: impl Into<jupyter_protocol::JupyterMessageContent>) {
        if !self.silent {
            self.iopub.send(content, Some(&self.parent)).await;
        }
    }
}

/// A mime bundle as it came: nothing is parsed, so nothing can be lost or refused.
pub fn media(data: Map<String, Value>) -> Media {
    Media::new(data.into_iter().map(MediaType::Other).collect())
}

fn stream_content(name: Name, text: String) -> StreamContent {
    StreamContent {
        name: match name {
            Name::Stdout => Stdio::Stdout,
            Name::Stderr => Stdio::Stderr,
        },
        text,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Stdout,
    Stderr,
}

/// The two streams of a cell: text that waits to be sent, and per stream the bytes of a character
/// that is not complete yet.
#[derive(Default)]
struct Batches {
    waiting: Option<(Name, String)>,
    stdout_tail: Vec<u8>,
    stderr_tail: Vec<u8>,
}

impl Batches {
    /// Takes bytes; returns what has to be sent before them to keep the order.
    fn push(&mut self, name: Name, bytes: &[u8]) -> Option<(Name, String)> {
        let tail = match name {
            Name::Stdout => &mut self.stdout_tail,
            Name::Stderr => &mut self.stderr_tail,
        };
        tail.extend_from_slice(bytes);
        let text = decode_complete(tail);
        if text.is_empty() {
            return None;
        }
        match &mut self.waiting {
            Some((same, waiting)) if *same == name => {
                waiting.push_str(&text);
                None
            }
            other => other.replace((name, text)),
        }
    }

    fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, |(_, text)| text.len())
    }

    fn take(&mut self) -> Option<(Name, String)> {
        self.waiting.take()
    }

    /// What never became a character.
    fn take_tails(&mut self) -> Vec<(Name, String)> {
        [
            (Name::Stdout, std::mem::take(&mut self.stdout_tail)),
            (Name::Stderr, std::mem::take(&mut self.stderr_tail)),
        ]
        .into_iter()
        .filter(|(_, bytes)| !bytes.is_empty())
        .map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned()))
        .collect()
    }
}

/// Decodes as much of `bytes` as is complete and leaves the rest there. Bytes that can never become
/// a character turn into U+FFFD.
fn decode_complete(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                rest = &[];
                break;
            }
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                rest = after;
                match error.error_len() {
                    Some(wrong) => {
                        text.push(char::REPLACEMENT_CHARACTER);
                        rest = &rest[wrong..];
                    }
                    None => break,
                }
            }
        }
    }
    *bytes = rest.to_vec();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_in_two_halves_comes_out_whole() {
        let mut batches = Batches::default();
        let bytes = "loss ▌ done".as_bytes();
        for byte in bytes {
            assert_eq!(batches.push(Name::Stdout, &[*byte]), None);
        }
        assert_eq!(
            batches.take(),
            Some((Name::Stdout, "loss ▌ done".to_owned()))
        );
        assert!(batches.take_tails().is_empty());
    }

    #[test]
    fn half_a_character_is_not_sent_until_the_end() {
        let mut batches = Batches::default();
        batches.push(Name::Stdout, b"a\xe2\x96");
        assert_eq!(batches.take(), Some((Name::Stdout, "a".to_owned())));
        assert_eq!(batches.take(), None);
        assert_eq!(
            batches.take_tails(),
            vec![(Name::Stdout, "\u{fffd}".to_owned())]
        );
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        let mut batches = Batches::default();
        batches.push(Name::Stderr, b"x\xff\xfey");
        assert_eq!(
            batches.take(),
            Some((Name::Stderr, "x\u{fffd}\u{fffd}y".to_owned()))
        );
    }

    #[test]
    fn the_other_stream_is_sent_first() {
        let mut batches = Batches::default();
        assert_eq!(batches.push(Name::Stdout, b"1"), None);
        assert_eq!(
            batches.push(Name::Stderr, b"2"),
            Some((Name::Stdout, "1".to_owned()))
        );
        assert_eq!(batches.take(), Some((Name::Stderr, "2".to_owned())));
    }

    #[test]
    fn a_bundle_passes_through_unchanged() {
        let bundle = serde_json::json!({"text/plain": "x", "image/svg+xml": "<svg/>",
            "application/vnd.own+json": {"a": [1, 2]}});
        let Value::Object(map) = bundle.clone() else {
            unreachable!()
        };
        assert_eq!(serde_json::to_value(media(map)).unwrap(), bundle);
    }
}
