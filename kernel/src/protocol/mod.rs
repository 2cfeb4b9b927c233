//! Jupyter's sockets: requests come in verified, messages go out signed.
//!
//! The messages and their signing are `jupyter-protocol`'s and `jupyter-zmq-client`'s. What stands
//! here is what those leave to a kernel: binding only where the connection file says, surviving
//! whatever arrives, keeping the order of what is published, and greeting subscribers.

mod gate;
mod iopub;
mod pace;
mod stdin;
mod wire;

use anyhow::{Context as _, Result, bail};
use jupyter_protocol::{
    Channel, ConnectionInfo, JupyterMessage, JupyterMessageContent, Status, Transport,
};
use jupyter_zmq_client::{
    KernelHeartbeatConnection, RouterSendConnection, create_kernel_control_connection,
    create_kernel_heartbeat_connection, create_kernel_iopub_xpub_connection,
    create_kernel_shell_connection, create_kernel_stdin_connection,
};
use std::path::Path;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use gate::Gate;
pub use iopub::IoPub;
pub use stdin::{Question, Stdin};
pub use wire::{Incoming, Reader};

/// The version of the messaging protocol that this kernel speaks.
pub const PROTOCOL_VERSION: &str = "5.4";

/// Reads a connection file, and refuses one that asks for what this kernel cannot do.
pub fn read_connection_file(path: &Path) -> Result<ConnectionInfo> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the connection file {}", path.display()))?;
    warn_if_others_can_read(path);
    let info: ConnectionInfo = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a Jupyter connection file", path.display()))?;
    if !info.key.is_empty() && info.signature_scheme != "hmac-sha256" {
        bail!(
            "{} asks for the signature scheme {:?}; this kernel signs with hmac-sha256",
            path.display(),
            info.signature_scheme
        );
    }
    Ok(info)
}

/// The file holds the key: whoever has that can run code as this user. Jupyter makes the file for
/// its owner alone; some shared file systems know no such thing, so that this is no reason to stop.
fn warn_if_others_can_read(path: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(file) = std::fs::metadata(path) else {
        return;
    };
    if file.mode() & 0o077 != 0 {
        eprintln!(
            "rust-dl: other users can read {}, and with the key in it run code as you; \
             run `chmod 600` on it, or set JUPYTER_RUNTIME_DIR to a directory of your own",
            path.display()
        );
    }
}

/// The bound sockets of one kernel.
pub struct Sockets {
    /// Requests of the shell channel.
    pub shell: Reader,
    /// Where replies on the shell channel go.
    pub shell_replies: Replies,
    /// Requests of the control channel.
    pub control: Reader,
    /// Where replies on the control channel go.
    pub control_replies: Replies,
    /// Where cells ask for input.
    pub stdin: Stdin,
    /// Everything that is published.
    pub iopub: IoPub,
    /// Tasks that serve heartbeat, stdin, iopub and what comes from outside, for as long as the
    /// kernel lives.
    pub background: Vec<JoinHandle<()>>,
    /// Keeps the private directory.
    pub gate: Option<Gate>,
}

impl Sockets {
    /// Binds every socket to the connection file's address and to nothing else.
    pub async fn bind(info: &ConnectionInfo, session: &str) -> Result<Sockets> {
        // A socket in the file system is protected by that.
        let gate = match info.transport {
            Transport::TCP => Some(Gate::new()?),
            Transport::IPC => None,
        };
        let outside = info;
        let inside = gate.as_ref().map(|gate| gate.inner(info));
        let info = inside.as_ref().unwrap_or(info);
        let at = |channel: &str| format!("cannot bind the {channel} socket on {}", info.ip);
        let heartbeat = create_kernel_heartbeat_connection(info)
            .await
            .with_context(|| at("heartbeat"))?;
        let shell = create_kernel_shell_connection(info, session)
            .await
            .with_context(|| at("shell"))?;
        let control = create_kernel_control_connection(info, session)
            .await
            .with_context(|| at("control"))?;
        let stdin = create_kernel_stdin_connection(info, session)
            .await
            .with_context(|| at("stdin"))?;
        let publisher = create_kernel_iopub_xpub_connection(info, session)
            .await
            .with_context(|| at("iopub"))?;

        let (shell_out, shell_in) = shell.split();
        let (control_out, control_in) = control.split();
        let (stdin_out, stdin_in) = stdin.split();
        let (answers, answered) = mpsc::channel(stdin::QUEUE);
        let (iopub, publishing) = IoPub::start(publisher);
        let mut background = vec![
            publishing,
            tokio::spawn(answer_heartbeats(heartbeat)),
            tokio::spawn(stdin::read(Reader::new(stdin_in, Channel::Stdin), answers)),
        ];
        if let Some(gate) = &gate {
            background.extend(gate.open(outside).await?);
        }
        Ok(Sockets {
            shell: Reader::new(shell_in, Channel::Shell),
            shell_replies: Replies { socket: shell_out },
            control: Reader::new(control_in, Channel::Control),
            control_replies: Replies {
                socket: control_out,
            },
            stdin: Stdin::new(Replies { socket: stdin_out }, answered),
            iopub,
            background,
            gate,
        })
    }
}

/// The sending side of a channel on which messages go to one client.
pub struct Replies {
    socket: RouterSendConnection,
}

impl Replies {
    /// Answers `parent`. A client that is gone is not an error worth stopping for.
    pub async fn send(
        &mut self,
        parent: &JupyterMessage,
        content: impl Into<JupyterMessageContent>,
        metadata: serde_json::Value,
    ) {
        let _ = self.deliver(parent, content, metadata).await;
    }

    /// Sends to the client that sent `parent`; returns the message's id, or why it did not leave.
    async fn deliver(
        &mut self,
        parent: &JupyterMessage,
        content: impl Into<JupyterMessageContent>,
        metadata: serde_json::Value,
    ) -> Result<String, String> {
        let reply = message(content, Some(parent)).with_metadata(metadata);
        let (kind, id) = (reply.header.msg_type.clone(), reply.header.msg_id.clone());
        match self.socket.send(reply).await {
            Ok(()) => Ok(id),
            Err(error) => {
                // Frontends ask who is there again and again, over connections that they do not keep.
                if kind != "kernel_info_reply" {
                    eprintln!("rust-dl: could not send a {kind}: {error}");
                }
                Err(error.to_string())
            }
        }
    }
}

/// A message of this kernel: the crate's, with our protocol version and name on it.
pub fn message(
    content: impl Into<JupyterMessageContent>,
    parent: Option<&JupyterMessage>,
) -> JupyterMessage {
    let mut message = JupyterMessage::new(content, parent);
    message.header.version = PROTOCOL_VERSION.to_owned();
    message.header.username = "rust-dl".to_owned();
    message
}

/// Publishes that work on `parent` begins; [`idle`] must follow.
pub async fn busy(iopub: &IoPub, parent: &JupyterMessage) {
    iopub.send(Status::busy(), Some(parent)).await;
}

/// Publishes that work on `parent` is over: nothing of it may be published later.
pub async fn idle(iopub: &IoPub, parent: &JupyterMessage) {
    iopub.send(Status::idle(), Some(parent)).await;
}

async fn answer_heartbeats(mut heartbeat: KernelHeartbeatConnection) {
    use zeromq::{SocketRecv as _, SocketSend as _};
    loop {
        let beat = match heartbeat.socket.recv().await {
            Ok(beat) => heartbeat.socket.send(beat).await,
            Err(error) => Err(error),
        };
        // One peer that breaks off or sends nonsense must not end the heartbeat of the others.
        if beat.is_err() {
            tokio::task::yield_now().await;
        }
    }
}
