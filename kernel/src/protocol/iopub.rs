//! The publishing side: one task owns the socket, so that what is published keeps its order.

use super::message;
use super::pace::Pace;
use jupyter_protocol::{IoPubWelcome, JupyterMessage, JupyterMessageContent};
use jupyter_zmq_client::{KernelIoPubXPubConnection, SubscriptionEvent};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How many messages may wait for the socket before publishers wait too.
const QUEUE: usize = 256;
/// How long one message may take to leave: a subscriber that has stopped reading must not stop the cell.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long, when the message before did not leave in time.
const IMPATIENCE: Duration = Duration::from_millis(20);

enum Order {
    Publish(Box<JupyterMessage>),
    Barrier(oneshot::Sender<()>),
}

/// Publishes messages, in the order in which they are given. Cheap to clone.
#[derive(Clone)]
pub struct IoPub {
    orders: mpsc::Sender<Order>,
    pace: Arc<Mutex<Pace>>,
}

impl IoPub {
    /// Takes the socket over and starts the task that serves it.
    pub fn start(socket: KernelIoPubXPubConnection) -> (IoPub, JoinHandle<()>) {
        let (orders, waiting) = mpsc::channel(QUEUE);
        let pace = Arc::new(Mutex::new(Pace::new(Instant::now())));
        let iopub = IoPub { orders, pace };
        (iopub, tokio::spawn(serve(socket, waiting)))
    }

    /// Publishes `content` as caused by `parent`.
    pub async fn send(
        &self,
        content: impl Into<JupyterMessageContent>,
        parent: Option<&JupyterMessage>,
    ) {
        let mut message = message(content, parent);
        // The first frame of a published message is its topic, not a peer to route to.
        message.zmq_identities = vec![
            format!("kernel.{}", message.header.msg_type)
                .into_bytes()
                .into(),
        ];
        let _ = self.orders.send(Order::Publish(Box::new(message))).await;
    }

    /// Returns when a message of `bytes` more may be published.
    pub async fn paced(&self, bytes: usize) {
        let wait = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.take(bytes, Instant::now())
        };
        tokio::time::sleep(wait).await;
    }

    /// Returns when everything given before has been handed to the socket.
    pub async fn drained(&self) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(Order::Barrier(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn serve(mut socket: KernelIoPubXPubConnection, mut orders: mpsc::Receiver<Order>) {
    let mut patience = PATIENCE;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Publish(message)) => {
                    let taken = publish(&mut socket, *message, patience).await;
                    patience = if taken { PATIENCE } else { IMPATIENCE };
                }
                Some(Order::Barrier(done)) => {
                    let _ = done.send(());
                }
                None => return,
            },
            subscription = socket.recv_subscription() => match subscription {
                // JEP 65: a subscriber learns that it will miss nothing from here on.
                Ok(SubscriptionEvent::Subscribe(topic)) => {
                    let mut welcome = message(IoPubWelcome::new(topic.clone()), None);
                    welcome.zmq_identities = vec![topic.into_bytes().into()];
                    publish(&mut socket, welcome, patience).await;
                }
                Ok(SubscriptionEvent::Unsubscribe(_)) => {}
                // A peer broke off, or sent what is no subscription.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
}

/// Whether every subscriber took the message in time.
async fn publish(
    socket: &mut KernelIoPubXPubConnection,
    message: JupyterMessage,
    patience: Duration,
) -> bool {
    let kind = message.header.msg_type.clone();
    match tokio::time::timeout(patience, socket.send(message)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            eprintln!("rust-dl: could not publish a {kind}: {error}");
            true
        }
        Err(_) => {
            if patience == PATIENCE {
                eprintln!("rust-dl: a subscriber has stopped reading; it misses a {kind} and more");
            }
            false
        }
    }
}
