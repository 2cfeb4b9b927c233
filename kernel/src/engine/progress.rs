//! One line in the notebook that says what takes so long, and in the end what came of it.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::Event;

/// A running line under one display id.
pub struct Progress<'a> {
    sink: &'a mut dyn FnMut(Event),
    id: String,
    began: Instant,
    shown: Option<Instant>,
}

/// No faster: a page redraws for each.
const PAUSE: Duration = Duration::from_millis(100);

impl<'a> Progress<'a> {
    /// Nothing is shown until something is said.
    pub fn new(sink: &'a mut dyn FnMut(Event)) -> Self {
        Progress {
            sink,
            id: uuid::Uuid::new_v4().to_string(),
            began: Instant::now(),
            shown: None,
        }
    }

    /// What is being done now.
    pub fn say(&mut self, line: &str) {
        if self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE) {
            let seconds = self.began.elapsed().as_secs_f64();
            self.show(&format!("{line}  ({seconds:.0} s)"));
        }
    }

    /// What was done; the line stays as this says.
    pub fn done(&mut self, line: &str) {
        self.show(line);
    }

    /// How long it has taken so far, in seconds.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn show(&mut self, line: &str) {
        let data: Map<String, Value> = [("text/plain".to_owned(), Value::from(line))]
            .into_iter()
            .collect();
        (self.sink)(Event::Display {
            data,
            metadata: Map::new(),
            display_id: Some(self.id.clone()),
            update: self.shown.is_some(),
        });
        self.shown = Some(Instant::now());
    }
}
