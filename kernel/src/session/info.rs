//! What the kernel says of itself.

use crate::protocol::PROTOCOL_VERSION;
use jupyter_protocol::{
    CodeMirrorMode, HelpLink, KernelInfoReply, LanguageInfo, ReplyStatus, UnknownMessage,
};
use serde_json::json;
use std::time::Duration;
use tokio::sync::OnceCell;

static RUSTC_VERSION: OnceCell<Option<String>> = OnceCell::const_new();

/// The answer to kernel_info_request. Needs no engine.
pub(super) async fn kernel_info() -> UnknownMessage {
    let reply = typed().await;
    let mut content = serde_json::to_value(reply).unwrap_or_default();
    // Known to the protocol since 5.5, not yet to the typed message. Neither subshells nor a
    // debugger, which are the features there are.
    content["supported_features"] = json!([]);
    UnknownMessage {
        msg_type: "kernel_info_reply".to_owned(),
        content,
    }
}

async fn typed() -> KernelInfoReply {
    let version = language_version().await;
    KernelInfoReply {
        status: ReplyStatus::Ok,
        protocol_version: PROTOCOL_VERSION.to_owned(),
        implementation: "rust-dl".to_owned(),
        implementation_version: env!("CARGO_PKG_VERSION").to_owned(),
        banner: format!(
            "rust-dl {}: deep learning in Rust {version}. dlcore's prelude is in scope.",
            env!("CARGO_PKG_VERSION")
        ),
        language_info: LanguageInfo {
            name: "rust".to_owned(),
            version,
            mimetype: Some("text/x-rustsrc".to_owned()),
            file_extension: Some(".rs".to_owned()),
            pygments_lexer: Some("rust".to_owned()),
            codemirror_mode: Some(CodeMirrorMode::Simple("rust".to_owned())),
            nbconvert_exporter: Some("script".to_owned()),
        },
        help_links: vec![
            HelpLink {
                text: "The Rust Programming Language".to_owned(),
                url: "https://doc.rust-lang.org/book/".to_owned(),
            },
            HelpLink {
                text: "Rust standard library".to_owned(),
                url: "https://doc.rust-lang.org/std/".to_owned(),
            },
        ],
        debugger: false,
        error: None,
    }
}

/// The compiler's version, such as `1.95.0`; "unknown" when there is none or it does not answer.
async fn language_version() -> String {
    let version = RUSTC_VERSION.get_or_init(ask_rustc).await;
    version.clone().unwrap_or_else(|| "unknown".to_owned())
}

async fn ask_rustc() -> Option<String> {
    let asked = tokio::process::Command::new("rustc")
        .arg("--version")
        .kill_on_drop(true)
        .output();
    // kernel_info must come at once, whatever a toolchain manager is up to.
    let output = tokio::time::timeout(Duration::from_secs(2), asked)
        .await
        .ok()?
        .ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    line.split_whitespace().nth(1).map(str::to_owned)
}
