//! execute_request: one cell from the notebook to the engine and its output back.

use super::evaluator::Update;
use super::{Session, flush_due, help};
use crate::display::{Output, media};
use crate::engine::{Answer, CellError, Event, Outcome, Timing};
use crate::protocol::{Question, message};
use jupyter_protocol::{
    ErrorOutput, ExecuteInput, ExecuteReply, ExecuteRequest, ExecutionCount, ExpressionResult,
    JupyterMessage, ReplyError, ReplyStatus, Status,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

impl Session {
    /// Runs one cell.
    pub(super) async fn execute(&mut self, parent: &JupyterMessage, request: &ExecuteRequest) {
        // What its threads printed beyond what is shown at once ends the cell before.
        if let Some(late) = &mut self.late {
            late.finish().await;
        }
        let started = message(Status::busy(), None).header.date;
        let count = self.count + 1;
        let counted = request.store_history && !request.silent;
        if counted {
            self.count = count;
        }
        if !request.silent {
            let input = ExecuteInput {
                code: request.code.clone(),
                execution_count: ExecutionCount::new(count),
            };
            self.iopub.send(input, Some(parent)).await;
        }

        let mut output = Output::new(&self.iopub, parent, count, request.silent);
        for mut line in std::mem::take(&mut self.progress) {
            line.push('\n');
            output.event(Event::Note(line)).await;
        }
        let mut payload = Vec::new();
        let (outcome, timing) = match help::asked(&request.code, &self.view) {
            Some(asked) => {
                payload.push(self.help(&asked).await);
                (Outcome::Done, Timing::default())
            }
            None => {
                let asks = request.allow_stdin.then_some(parent);
                self.run_cell(&request.code, count, &mut output, asks).await
            }
        };
        output.finish().await;
        let result_text = output.result.take().and_then(plain_text);

        // Whoever interrupts a cell does not want those to run that wait behind it.
        let mut to_abort = self.waiting_when_pressed.take().unwrap_or(0);
        let (status, error) = match outcome {
            Outcome::Done => (ReplyStatus::Ok, None),
            Outcome::Failed(error) => {
                output.error(published(&error)).await;
                to_abort = self.requests.len();
                (ReplyStatus::Error, Some(Box::new(replied(error))))
            }
        };
        if request.stop_on_error && !request.silent {
            self.to_abort = to_abort;
        }
        if counted {
            self.history.add(count, &request.code, result_text);
        }
        self.late = Some(output);
        let expressions = match (&status, &request.user_expressions) {
            (ReplyStatus::Ok, Some(asked)) => self.user_expressions(asked, parent, count).await,
            _ => HashMap::new(),
        };

        let metadata = json!({
            "started": started,
            "status": status,
            "rust_dl": timing_metadata(&timing),
        });
        // Everything the cell put out has left before the reply says that it is over.
        self.iopub.drained().await;
        let reply = ExecuteReply {
            status,
            execution_count: ExecutionCount::new(count),
            payload,
            user_expressions: Some(expressions),
            error,
        };
        self.replies.send(parent, reply, metadata).await;
    }

    /// Answers a cell that does not run because one before it failed.
    pub(super) async fn abort(&mut self, parent: &JupyterMessage) {
        let reply = ExecuteReply {
            status: ReplyStatus::Aborted,
            execution_count: ExecutionCount::new(self.count),
            user_expressions: Some(HashMap::new()),
            ..ExecuteReply::default()
        };
        self.reply(parent, reply).await;
    }

    /// Hands code to the engine and its events to `output`, streams in batches. Questions go to
    /// the frontend that sent `asks`.
    async fn run_cell(
        &mut self,
        code: &str,
        count: usize,
        output: &mut Output,
        asks: Option<&JupyterMessage>,
    ) -> (Outcome, Timing) {
        let interrupt = self.evaluator.interrupt();
        interrupt.forget().await;
        let running = self.evaluator.submit(code, number(count));
        loop {
            let update = tokio::select! {
                // What the cell sends comes last: a press that comes together with its end must not be lost to it.
                biased;
                () = interrupt.pressed() => {
                    self.waiting_when_pressed.get_or_insert(self.requests.len());
                    continue;
                }
                () = flush_due(Some(output)) => {
                    output.flush().await;
                    continue;
                }
                (question, text) = self.stdin.answer() => {
                    self.evaluator.answer(question, text.map_or(Answer::End, Answer::Text));
                    if let (Some(next), Some(asks)) = (self.stdin.next_waiting(), asks) {
                        self.ask(next, Some(asks)).await;
                    }
                    continue;
                }
                update = self.evaluator.next(&running) => update,
            };
            match update {
                Update::Progress(mut line) => {
                    line.push('\n');
                    output.event(Event::Note(line)).await;
                }
                Update::Event(Event::Input {
                    number,
                    prompt,
                    password,
                }) => {
                    output.flush().await;
                    let question = Question {
                        number,
                        prompt,
                        password,
                    };
                    self.ask(question, asks).await;
                }
                Update::Event(event) => output.event(event).await,
                Update::Late(_) | Update::View(_) => self.between_cells(update).await,
                Update::Done(done) => {
                    self.stdin.forget();
                    if let Some(view) = done.view {
                        self.view = view;
                    }
                    return (done.outcome, done.timing);
                }
            }
        }
    }

    /// Passes a cell's question on, or tells the cell why nobody can be asked.
    async fn ask(&mut self, question: Question, parent: Option<&JupyterMessage>) {
        let number = question.number;
        let refusal = match parent {
            None => NOBODY_TO_ASK.to_owned(),
            Some(parent) => match self.stdin.ask(question, parent).await {
                Ok(()) => return,
                Err(why) => format!("the frontend's input channel cannot be reached: {why}"),
            },
        };
        self.evaluator.answer(number, Answer::Refused(refusal));
    }

    /// Evaluates each expression as a cell of its own, of which only the value is kept.
    async fn user_expressions(
        &mut self,
        asked: &HashMap<String, String>,
        parent: &JupyterMessage,
        count: usize,
    ) -> HashMap<String, ExpressionResult> {
        let mut names: Vec<_> = asked.keys().collect();
        names.sort();
        let mut answers = HashMap::new();
        for name in names {
            let answer = self.user_expression(&asked[name], parent, count).await;
            answers.insert(name.clone(), answer);
        }
        answers
    }

    async fn user_expression(
        &mut self,
        expression: &str,
        parent: &JupyterMessage,
        count: usize,
    ) -> ExpressionResult {
        let mut output = Output::new(&self.iopub, parent, count, true);
        let (outcome, _) = self.run_cell(expression, count, &mut output, None).await;
        match (outcome, output.result.take()) {
            (Outcome::Done, Some(data)) => ExpressionResult::Ok {
                data: media(data),
                metadata: Default::default(),
            },
            (Outcome::Done, None) => ExpressionResult::Error {
                ename: "NoValue".to_owned(),
                evalue: "the expression has no value to show".to_owned(),
                traceback: Vec::new(),
            },
            (Outcome::Failed(error), _) => ExpressionResult::Error {
                ename: error.ename,
                evalue: error.evalue,
                traceback: error.traceback,
            },
        }
    }
}

const NOBODY_TO_ASK: &str = "there is nobody to ask for input: this notebook is run without a person \
    (allow_stdin is false). Write the value into the cell instead";

fn published(error: &CellError) -> ErrorOutput {
    ErrorOutput {
        ename: error.ename.clone(),
        evalue: error.evalue.clone(),
        traceback: error.traceback.clone(),
    }
}

fn replied(error: CellError) -> ReplyError {
    ReplyError {
        ename: error.ename,
        evalue: error.evalue,
        traceback: error.traceback,
    }
}

fn plain_text(mut data: serde_json::Map<String, Value>) -> Option<String> {
    match data.remove("text/plain") {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Milliseconds to three places, under the names of [`Timing::parts`], and the number of builds.
fn timing_metadata(timing: &Timing) -> Value {
    let total = [("total", timing.total)];
    let milliseconds = |time: Duration| time.as_micros() as f64 / 1e3;
    let parts = timing.parts().into_iter().chain(total);
    let mut metadata: serde_json::Map<String, Value> = parts
        .map(|(name, time)| (format!("{name}_ms"), milliseconds(time).into()))
        .collect();
    metadata.insert("builds".to_owned(), timing.builds.into());
    Value::Object(metadata)
}
