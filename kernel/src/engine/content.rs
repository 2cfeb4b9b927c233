//! evcxr's way of showing rich content: text between two marker lines on standard output.
//!
//! Crates that know notebooks (plotters among them) and types with an `evcxr_display` print it, so
//! that a notebook written for evcxr shows here what it shows there.

use serde_json::{Map, Value};

use super::Event;

const BEGIN: &[u8] = b"EVCXR_BEGIN_CONTENT ";
const END: &[u8] = b"EVCXR_END_CONTENT";

/// Content longer than this is passed on as the text that it is.
const MOST: usize = 64 << 20;

/// Finds content in standard output, however that is cut into pieces.
#[derive(Default)]
pub struct Content {
    /// What may be the start of a marker line, or the content that has come so far.
    held: Vec<u8>,
    /// Whether `held` begins with a whole marker line.
    inside: bool,
    /// How much of the content that has begun holds no end.
    searched: usize,
    /// Whether the last byte passed on was no line end.
    in_line: bool,
}

impl Content {
    /// Takes a piece of output; hands on what stands in it.
    pub fn take(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event)) {
        // Nearly always there is no marker in sight, and the piece goes on as it is.
        if self.held.is_empty()
            && !bytes.windows(6).any(|window| window == &BEGIN[..6])
            && !may_begin(bytes, self.in_line)
        {
            self.pass(bytes.to_vec(), sink);
            return;
        }
        self.held.extend_from_slice(bytes);
        loop {
            let before = (self.held.len(), self.inside);
            if self.inside {
                self.end(false, sink);
            } else {
                self.begin(sink);
            }
            if self.held.is_empty() || (self.held.len(), self.inside) == before {
                return;
            }
        }
    }

    /// Nothing comes for a while: what only might have become a marker goes on as text.
    pub fn settle(&mut self, sink: &mut dyn FnMut(Event)) {
        if !self.inside {
            let held = std::mem::take(&mut self.held);
            self.pass(held, sink);
        }
    }

    /// Nothing more comes: content without its end is text.
    pub fn flush(&mut self, sink: &mut dyn FnMut(Event)) {
        if self.inside {
            self.end(true, sink);
        }
        self.give_up(sink);
        self.in_line = false;
    }

    /// What is held is text after all.
    fn give_up(&mut self, sink: &mut dyn FnMut(Event)) {
        self.inside = false;
        self.searched = 0;
        let held = std::mem::take(&mut self.held);
        self.pass(held, sink);
    }

    /// Looks for a marker line; passes on what stands before it and cannot be part of it.
    fn begin(&mut self, sink: &mut dyn FnMut(Event)) {
        let mut start = 0;
        let mut at_line_start = !self.in_line;
        loop {
            let rest = &self.held[start..];
            let line = rest.iter().position(|&byte| byte == b'\n');
            if at_line_start && rest.starts_with(BEGIN) && line.is_some() {
                let content = self.held.split_off(start);
                let text = std::mem::replace(&mut self.held, content);
                self.pass(text, sink);
                self.inside = true;
                return;
            }
            let undecided = at_line_start
                && line.is_none()
                && (rest.starts_with(BEGIN) || BEGIN.starts_with(rest));
            match line {
                Some(length) => {
                    start += length + 1;
                    at_line_start = true;
                }
                None => {
                    let kept = if undecided && rest.len() < 1024 {
                        self.held.split_off(start)
                    } else {
                        vec![]
                    };
                    let text = std::mem::replace(&mut self.held, kept);
                    self.pass(text, sink);
                    return;
                }
            }
        }
    }

    /// Looks for the end of the content that has begun. `last`: nothing more comes.
    fn end(&mut self, last: bool, sink: &mut dyn FnMut(Event)) {
        let from = self.searched.saturating_sub(END.len());
        let found = self.held[from..]
            .windows(END.len())
            .position(|window| window == END);
        let Some(found) = found.map(|at| from + at) else {
            self.searched = self.held.len();
            if self.held.len() > MOST {
                self.give_up(sink);
            }
            return;
        };
        // The line end behind it belongs to it, and may be still to come.
        let after = found + END.len();
        if self.held.len() == after && !last {
            return;
        }
        self.searched = 0;
        let rest = self.held.split_off(after);
        let rest = rest.strip_prefix(b"\n").unwrap_or(&rest).to_vec();
        let block = std::mem::replace(&mut self.held, rest);
        self.inside = false;
        let line = block
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(found);
        let mime = String::from_utf8_lossy(&block[BEGIN.len()..line])
            .trim()
            .to_owned();
        let content = String::from_utf8_lossy(&block[line + 1..found]);
        let data: Map<String, Value> = [(mime, Value::from(content.trim_end_matches('\n')))]
            .into_iter()
            .collect();
        sink(Event::Display {
            data,
            metadata: Map::new(),
            display_id: None,
            update: false,
        });
    }

    fn pass(&mut self, bytes: Vec<u8>, sink: &mut dyn FnMut(Event)) {
        if let Some(&last) = bytes.last() {
            self.in_line = last != b'\n';
            sink(Event::Stdout(bytes));
        }
    }
}

/// Whether the last line of `bytes` may be the start of a marker.
fn may_begin(bytes: &[u8], in_line: bool) -> bool {
    let last = match bytes.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => &bytes[end + 1..],
        None if in_line => return false,
        None => bytes,
    };
    !last.is_empty() && BEGIN.starts_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, and content in braces, of output that comes in pieces of `size`.
    fn read(output: &str, size: usize) -> String {
        let mut content = Content::default();
        let mut text = String::new();
        let mut sink = |event| match event {
            Event::Stdout(bytes) => text += &String::from_utf8(bytes).unwrap(),
            Event::Display { data, .. } => {
                let (mime, value) = data.iter().next().unwrap();
                text += &format!("{{{mime}|{}}}", value.as_str().unwrap());
            }
            other => panic!("{other:?}"),
        };
        for piece in output.as_bytes().chunks(size) {
            content.take(piece, &mut sink);
        }
        content.flush(&mut sink);
        text
    }

    #[test]
    fn content_is_found_however_it_is_cut() {
        let output = "before\nEVCXR_BEGIN_CONTENT text/html\n<b>\nx</b>\nEVCXR_END_CONTENT\nafter";
        let expected = "before\n{text/html|<b>\nx</b>}after";
        for size in 1..output.len() + 1 {
            assert_eq!(read(output, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_only_looks_like_it_stays_text() {
        for output in [
            "x EVCXR_BEGIN_CONTENT text/html\n",
            "EVCXR_BEGIN",
            "EVCXR_BEGIN_CONTENT text/html",
            "EVCXR_BEGIN_CONTENT text/html\nno end",
            "E",
            "one\nE\nEVCXR\n",
        ] {
            for size in [1, 3, 100] {
                assert_eq!(read(output, size), output);
            }
        }
    }

    #[test]
    fn content_comes_through_after_some_that_never_ended() {
        let mut content = Content::default();
        let mut seen = 0;
        let mut sink = |event| seen += usize::from(matches!(event, Event::Display { .. }));
        let unfinished = format!("EVCXR_BEGIN_CONTENT text/html\n{}", "x".repeat(100));
        content.take(unfinished.as_bytes(), &mut sink);
        content.flush(&mut sink);
        content.take(
            b"EVCXR_BEGIN_CONTENT text/html\nx\nEVCXR_END_CONTENT\n",
            &mut sink,
        );
        assert_eq!(seen, 1);
    }

    #[test]
    fn two_in_a_row() {
        let one = "EVCXR_BEGIN_CONTENT text/plain\n1\nEVCXR_END_CONTENT\n";
        assert_eq!(read(&one.repeat(2), 7), "{text/plain|1}{text/plain|1}");
    }
}
