//! What reaches the kernel without a message: signals, and the death of whoever started it.

use super::Interrupt;
use nix::unistd::{Pid, getppid};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How often to look whether the starter is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Turns SIGINT into an interrupt, and SIGTERM or the starter's death into a shutdown.
pub(super) async fn watch(interrupt: Interrupt, ending: mpsc::Sender<()>) {
    let (Ok(mut interrupts), Ok(mut terminations)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        eprintln!("rust-dl: signals cannot be watched");
        return;
    };
    let starter = starter();
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = came(&mut interrupts) => interrupt.interrupt(),
            () = came(&mut terminations) => break,
            _ = look.tick(), if starter.is_some() => {
                if starter != Some(getppid()) {
                    eprintln!("rust-dl: whoever started this kernel is gone; it ends too");
                    break;
                }
            }
        }
    }
    let _ = ending.send(()).await;
}

async fn came(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// The process to stay as long as: Jupyter names itself in `JPY_PARENT_PID`. A kernel started by
/// hand stays until it is told to end.
fn starter() -> Option<Pid> {
    let named: i32 = std::env::var("JPY_PARENT_PID").ok()?.parse().ok()?;
    let parent = getppid();
    (parent.as_raw() == named).then_some(parent)
}
