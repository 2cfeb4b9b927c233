//! Between cells: threads of earlier cells still print, and the cell process may die.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use serde_json::json;

use super::evaluator::Engine;
use super::process::Incoming;
use super::{Event, Outcome};

impl Engine {
    /// Waits until `woken` can be read or something came from the cell process, and passes that on.
    /// Returns true when the process had died: it is there again then, and the variables are not.
    pub fn idle(&mut self, woken: &UnixStream, sink: &mut dyn FnMut(Event)) -> bool {
        let mut questions = vec![];
        let alive = self
            .process
            .wait_until(woken.as_fd(), &mut |incoming| match incoming {
                Incoming::Event(Event::Input { number, .. }) => questions.push(number),
                Incoming::Event(event) => sink(event),
                Incoming::Frame(_) => {}
            });
        for number in questions {
            let refusal = json!({"t": "input_reply", "n": number, "error": TOO_LATE});
            let _ = self.process.send(&refusal);
        }
        if alive.unwrap_or(false) {
            return false;
        }
        if let Outcome::Failed(error) = self.idle_process_died(sink) {
            let said = format!("{}\n", error.traceback.join("\n"));
            sink(Event::Note(said));
        }
        true
    }
}

const TOO_LATE: &str = "the cell that started this thread is over, so there is no box to type into; \
    ask for input before the cell ends";
