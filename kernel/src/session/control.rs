//! The control channel: what must get through while a cell runs.

use super::{Interrupt, info, refuse, refuse_unknown};
use crate::protocol::{self, Incoming, IoPub, Reader, Replies};
use jupyter_protocol::{
    DebugReply, InterruptReply, JupyterMessage, JupyterMessageContent, ShutdownReply,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Answers control requests until a shutdown; tells `ending` then.
pub(super) async fn serve(
    mut requests: Reader,
    mut replies: Replies,
    iopub: IoPub,
    interrupt: Interrupt,
    ending: mpsc::Sender<()>,
) {
    while let Some(incoming) = requests.next().await {
        let (parent, malformed) = match incoming {
            Incoming::Request(parent) => (parent, None),
            Incoming::Malformed { parent, why } => (parent, Some(why)),
        };
        protocol::busy(&iopub, &parent).await;
        let end = match malformed {
            Some(why) => {
                refuse(&mut replies, &parent, "MalformedRequest", &why).await;
                false
            }
            None => answer(&parent, &mut replies, &interrupt).await,
        };
        protocol::idle(&iopub, &parent).await;
        if end {
            iopub.drained().await;
            let _ = ending.send(()).await;
        }
    }
}

/// Answers one request; true when the kernel is to end.
async fn answer(parent: &JupyterMessage, replies: &mut Replies, interrupt: &Interrupt) -> bool {
    match &parent.content {
        JupyterMessageContent::InterruptRequest(_) => {
            interrupt.interrupt();
            replies.send(parent, InterruptReply::new(), json!({})).await;
        }
        JupyterMessageContent::ShutdownRequest(request) => {
            let reply = ShutdownReply {
                restart: request.restart,
                ..ShutdownReply::default()
            };
            replies.send(parent, reply, json!({})).await;
            return true;
        }
        JupyterMessageContent::KernelInfoRequest(_) => {
            replies
                .send(parent, info::kernel_info().await, json!({}))
                .await;
        }
        JupyterMessageContent::DebugRequest(request) => {
            let reply = no_debugger(&request.content);
            replies.send(parent, reply, json!({})).await;
        }
        other => {
            let kind = other.message_type().to_owned();
            refuse_unknown(replies, parent, &kind).await;
        }
    }
    false
}

/// The Debug Adapter Protocol's way to say no.
fn no_debugger(request: &Value) -> DebugReply {
    DebugReply {
        content: json!({
            "type": "response",
            "seq": 1,
            "request_seq": request.get("seq").cloned().unwrap_or(Value::from(0)),
            "success": false,
            "command": request.get("command").cloned().unwrap_or(Value::from("")),
            "message": "this kernel has no debugger",
        }),
    }
}
