//! `.await` at the top level of a cell.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::Failure;
use crate::{Error, interrupt};

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread: for cells without a runtime such as tokio's.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// The body of a cell that awaits; an interrupt ends it at the `.await` where it stands.
pub async fn interruptible(body: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut body = pin!(body);
    let mut watch = None;
    std::future::poll_fn(|context| match body.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending if interrupt::requested() => {
            let error = Error::Value("interrupted at an `.await`".to_owned());
            Poll::Ready(Err(error.into()))
        }
        Poll::Pending => {
            watch
                .get_or_insert_with(Watch::start)
                .wake_with(context.waker());
            Poll::Pending
        }
    })
    .await
}

/// How soon an interrupt is seen.
const LOOK: Duration = Duration::from_millis(50);

/// Wakes a waiting cell when an interrupt comes; ends when it is dropped.
struct Watch {
    over: Arc<AtomicBool>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Watch {
    fn start() -> Watch {
        let watch = Watch {
            over: Arc::default(),
            waker: Arc::default(),
        };
        let (over, waker) = (watch.over.clone(), watch.waker.clone());
        thread::spawn(move || {
            while !over.load(Ordering::Acquire) {
                if interrupt::requested()
                    && let Some(waker) = waker.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    waker.wake();
                }
                thread::sleep(LOOK);
            }
        });
        watch
    }

    /// The waker of the poll that found nothing ready.
    fn wake_with(&self, waker: &Waker) {
        let mut known = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_is_woken_from_another_thread_comes_to_its_end() {
        let (send, receive) = std::sync::mpsc::channel::<Waker>();
        let ready = Arc::new(AtomicBool::new(false));
        let set = ready.clone();
        let waking = thread::spawn(move || {
            let waker = receive.recv().unwrap();
            set.store(true, Ordering::Release);
            waker.wake();
        });
        let waited = block_on(std::future::poll_fn(|context| {
            if ready.load(Ordering::Acquire) {
                return Poll::Ready(7);
            }
            let _ = send.send(context.waker().clone());
            Poll::Pending
        }));
        waking.join().unwrap();
        assert_eq!(waited, 7);
    }

    #[test]
    fn the_body_of_a_cell_keeps_its_own_error() {
        let failed = block_on(interruptible(async {
            std::future::ready(()).await;
            Err("three".to_owned())?;
            Ok(())
        }));
        assert!(failed.is_err());
    }
}
