//! From frames to requests: verified, parsed, and never a reason to stop.

use jupyter_protocol::{Channel, Header, JupyterMessage, JupyterMessageContent, UnknownMessage};
use jupyter_zmq_client::{RawMessage, RouterRecvConnection, RuntimeError};
use serde_json::Value;
use zeromq::SocketRecv as _;

/// A request whose signature was right.
#[derive(Debug)]
pub enum Incoming {
    /// A request that can be worked on.
    Request(Box<JupyterMessage>),
    /// A known request whose content does not fit: it is answered with an error.
    Malformed {
        /// The request, its content left as it came.
        parent: Box<JupyterMessage>,
        /// What does not fit.
        why: String,
    },
}

/// Reads one channel's requests.
pub struct Reader {
    socket: RouterRecvConnection,
    channel: Channel,
    dropped: u64,
}

impl Reader {
    pub(super) fn new(socket: RouterRecvConnection, channel: Channel) -> Reader {
        Reader {
            socket,
            channel,
            dropped: 0,
        }
    }

    /// The next request; `None` when the socket is closed.
    ///
    /// What is not signed with the connection's key, or is no Jupyter message, is counted, said on
    /// standard error and dropped.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            let frames = self.socket.socket.recv().await.ok()?;
            let parsed = RawMessage::from_multipart(frames, &self.socket.mac)
                .map_err(explain)
                .and_then(parse);
            match parsed {
                Ok(incoming) => return Some(incoming),
                Err(why) => self.drop_message(&why),
            }
        }
    }

    fn drop_message(&mut self, why: &str) {
        self.dropped += 1;
        // The first few are worth a line each; a flood is worth a line at each doubling.
        if self.dropped <= 8 || self.dropped.is_power_of_two() {
            eprintln!(
                "rust-dl: dropped a message on the {} channel: {why} ({} dropped so far)",
                format!("{:?}", self.channel).to_lowercase(),
                self.dropped
            );
        }
    }
}

fn explain(error: RuntimeError) -> String {
    match error {
        RuntimeError::VerifyError(_) | RuntimeError::DecodeError(_) => {
            "its signature is not made with this connection's key".to_owned()
        }
        other => other.to_string(),
    }
}

/// The message in these frames, whose signature has been checked.
fn parse(raw: RawMessage) -> Result<Incoming, String> {
    let header: Header =
        serde_json::from_slice(&raw.jparts[0]).map_err(|error| format!("its header: {error}"))?;
    let content: Value =
        serde_json::from_slice(&raw.jparts[3]).map_err(|error| format!("its content: {error}"))?;
    let metadata: Value =
        serde_json::from_slice(&raw.jparts[2]).map_err(|error| format!("its metadata: {error}"))?;
    let kind = header.msg_type.clone();
    let with = |content: JupyterMessageContent| {
        Box::new(JupyterMessage {
            zmq_identities: raw.zmq_identities.clone(),
            header: header.clone(),
            parent_header: serde_json::from_slice(&raw.jparts[1]).ok(),
            metadata: metadata.clone(),
            content,
            buffers: raw.jparts[4..].to_vec(),
            channel: None,
        })
    };
    match JupyterMessageContent::from_type_and_content(&kind, with_defaults(&kind, &content)) {
        Ok(content) => Ok(Incoming::Request(with(content))),
        Err(error) => Ok(Incoming::Malformed {
            parent: with(JupyterMessageContent::UnknownMessage(UnknownMessage {
                msg_type: kind,
                content,
            })),
            why: error.to_string(),
        }),
    }
}

/// Fills in what the protocol gives a default and the typed message demands.
fn with_defaults(kind: &str, content: &Value) -> Value {
    let mut content = content.clone();
    let Some(map) = content.as_object_mut() else {
        return content;
    };
    match kind {
        "execute_request" => {
            let silent = map.get("silent").and_then(Value::as_bool).unwrap_or(false);
            map.entry("silent").or_insert(Value::Bool(false));
            map.entry("store_history").or_insert(Value::Bool(!silent));
        }
        "history_request" => {
            for (key, value) in [
                ("output", Value::Bool(false)),
                ("raw", Value::Bool(true)),
                ("unique", Value::Bool(false)),
                ("start", Value::from(0)),
                ("stop", Value::from(i32::MAX)),
                ("n", Value::from(i32::MAX)),
                ("pattern", Value::from("*")),
            ] {
                let entry = map.entry(key).or_insert(Value::Null);
                if entry.is_null() {
                    *entry = value;
                }
            }
        }
        "shutdown_request" => {
            map.entry("restart").or_insert(Value::Bool(false));
        }
        "comm_open" | "comm_msg" | "comm_close" => {
            map.entry("data")
                .or_insert(Value::Object(Default::default()));
        }
        _ => {}
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn raw(header: Value, content: &str) -> RawMessage {
        RawMessage {
            zmq_identities: vec![],
            jparts: vec![
                header.to_string().into(),
                "{}".into(),
                "{}".into(),
                content.to_owned().into(),
            ],
        }
    }

    fn header(kind: &str) -> Value {
        json!({"msg_id": "1", "username": "u", "session": "s", "date": "2026-01-01T00:00:00Z",
               "msg_type": kind, "version": "5.3"})
    }

    #[test]
    fn an_execute_request_may_leave_out_what_has_a_default() {
        let parsed = parse(raw(
            header("execute_request"),
            r#"{"code": "1", "silent": true}"#,
        ));
        let Ok(Incoming::Request(message)) = parsed else {
            panic!("not a request: {parsed:?}")
        };
        let JupyterMessageContent::ExecuteRequest(request) = &message.content else {
            panic!("not an execute_request")
        };
        assert!(request.silent && !request.store_history && request.stop_on_error);
    }

    #[test]
    fn content_of_the_wrong_shape_is_malformed_not_dropped() {
        let parsed = parse(raw(header("complete_request"), r#"{"code": 7}"#));
        assert!(
            matches!(parsed, Ok(Incoming::Malformed { .. })),
            "{parsed:?}"
        );
    }

    #[test]
    fn what_is_no_message_is_refused_with_a_reason() {
        assert!(
            parse(raw(json!({"msg_id": 3}), "{}"))
                .unwrap_err()
                .contains("header")
        );
        assert!(
            parse(raw(header("x"), "{"))
                .unwrap_err()
                .contains("content")
        );
    }

    #[test]
    fn an_unknown_kind_is_still_a_request() {
        let parsed = parse(raw(header("create_subshell_request"), "{}"));
        assert!(matches!(parsed, Ok(Incoming::Request(_))));
    }
}
