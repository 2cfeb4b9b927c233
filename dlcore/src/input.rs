//! Asking whoever sits at the keyboard: through the notebook's input box, or in a terminal.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::display::channel;
use crate::error::{Error, Result};
use crate::interrupt;

/// Shows `prompt` and waits for a line of text, which comes without its line break.
///
/// # Errors
/// When the input has ended, when there is nobody to ask (a notebook that is run without a person),
/// and when the wait is interrupted.
pub fn input(prompt: &str) -> Result<String> {
    ask(prompt, false)
}

/// As [`input`], for what nobody should read over one's shoulder: what is typed is not shown.
///
/// # Errors
/// As [`input`].
pub fn input_password(prompt: &str) -> Result<String> {
    ask(prompt, true)
}

fn ask(prompt: &str, password: bool) -> Result<String> {
    if channel::connected() {
        ask_kernel(prompt, password)
    } else {
        ask_terminal(prompt, password)
    }
}

/// How often a wait looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// Questions that were asked, and what was answered.
static ASKED: (Mutex<Asked>, Condvar) = (Mutex::new(Asked::new()), Condvar::new());

struct Asked {
    last: u64,
    /// `None` while the answer is waited for. What stands here no more is no longer wanted.
    answers: BTreeMap<u64, Option<Value>>,
}

impl Asked {
    const fn new() -> Asked {
        Asked {
            last: 0,
            answers: BTreeMap::new(),
        }
    }
}

fn ask_kernel(prompt: &str, password: bool) -> Result<String> {
    let (asked, answered) = &ASKED;
    let mut state = asked.lock().unwrap_or_else(PoisonError::into_inner);
    state.last += 1;
    let number = state.last;
    state.answers.insert(number, None);
    drop(state);
    let question = json!({"t": "input", "n": number, "prompt": prompt, "password": password});
    let sent = channel::send(&question);
    let mut state = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = loop {
        if let Some(Some(_)) = state.answers.get(&number) {
            break state.answers.remove(&number).flatten();
        }
        if !sent || interrupt::requested() {
            state.answers.remove(&number);
            break None;
        }
        state = answered
            .wait_timeout(state, LOOK)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    };
    drop(state);
    match answer {
        Some(frame) => read_answer(&frame),
        None => Err(Error::Value(
            "the wait for input was interrupted".to_owned(),
        )),
    }
}

/// What the kernel's answer says: a text, the end of the input, or why nobody can be asked.
fn read_answer(frame: &Value) -> Result<String> {
    if let Some(why) = frame["error"].as_str() {
        return Err(Error::Value(why.to_owned()));
    }
    match frame["value"].as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(ended()),
    }
}

/// The kernel has answered. Answers to questions that are no longer asked are passed over.
pub(crate) fn answer(frame: Value) {
    let (asked, answered) = &ASKED;
    let mut state = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let number = frame["n"].as_u64().unwrap_or_default();
    if let Some(waiting) = state.answers.get_mut(&number) {
        *waiting = Some(frame);
        answered.notify_all();
    }
}

fn ask_terminal(prompt: &str, password: bool) -> Result<String> {
    let failed = |source| Error::Io {
        context: "reading a line of input".to_owned(),
        source,
    };
    print!("{prompt}");
    std::io::stdout().flush().map_err(failed)?;
    if password && std::io::stdin().is_terminal() {
        return console::Term::stdout().read_secure_line().map_err(failed);
    }
    let mut line = String::new();
    if std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(failed)?
        == 0
    {
        return Err(ended());
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn ended() -> Error {
    Error::Value("the input has ended: a line was expected, and none will come".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_text_an_end_or_a_reason() {
        let text = |frame| read_answer(&frame).map_err(|error| error.to_string());
        assert_eq!(text(json!({"value": "größe ∂"})), Ok("größe ∂".to_owned()));
        assert_eq!(text(json!({"value": ""})), Ok(String::new()));
        let ended = text(json!({"value": null})).unwrap_err();
        assert!(ended.contains("ended"), "{ended}");
        let refused = text(json!({"error": "nobody is there"})).unwrap_err();
        assert_eq!(refused, "nobody is there");
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_passed_over() {
        answer(json!({"n": u64::MAX, "value": "late"}));
        let state = ASKED.0.lock().unwrap();
        assert!(!state.answers.contains_key(&u64::MAX));
    }
}
