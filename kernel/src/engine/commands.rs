//! Lines that begin with a colon, at the head of a cell.

use super::evaluator::Engine;
use super::{CellError, Event, report};

const HELP: &str = "\
Everything in dlcore::prelude is there already: try `Tensor::arange(0., 6., 1.).reshape([2, 3])`.
A last line without a semicolon is shown. Variables and functions stay for the next cells; `?` ends a cell with an error.
Pass tensors and models by reference (`&x`) and they stay yours.
Functions and types are compiled into each cell, so a `static` begins anew in each: keep what lasts in a variable.

:vars     the variables of this session and their types
:timing   where the time of the last cell went
:help     this text
";

/// Runs the commands a cell begins with. Returns the rest of the cell, with blank lines in their
/// place, so that errors name the right line.
pub(super) fn run(
    engine: &mut Engine,
    code: &str,
    sink: &mut dyn FnMut(Event),
) -> Result<String, CellError> {
    let mut rest = String::with_capacity(code.len());
    let mut at_head = true;
    for line in code.split_inclusive('\n') {
        let trimmed = line.trim();
        at_head &= trimmed.is_empty() || trimmed.starts_with(':') || trimmed.starts_with("//");
        if at_head && trimmed.starts_with(':') && !trimmed.starts_with("::") {
            sink(Event::Stdout(answer(engine, trimmed)?.into_bytes()));
            rest.push('\n');
        } else {
            rest.push_str(line);
        }
    }
    Ok(rest)
}

fn answer(engine: &Engine, command: &str) -> Result<String, CellError> {
    match command.split_whitespace().next().unwrap_or_default() {
        ":help" => Ok(HELP.to_owned()),
        ":vars" => Ok(engine.list_variables()),
        ":timing" => Ok(timing(engine)),
        ":dep" => Err(report::plain(
            "UnknownCommand",
            "other crates cannot be added to a notebook yet: cells have std and dlcore, \
             with ndarray as dlcore::ndarray"
                .to_owned(),
        )),
        name => Err(report::plain(
            "UnknownCommand",
            format!("there is no command {name}; `:help` lists those there are"),
        )),
    }
}

fn timing(engine: &Engine) -> String {
    let timing = &engine.last_timing;
    let milliseconds = |part: std::time::Duration| part.as_secs_f64() * 1e3;
    format!(
        "prepare {:.1} ms, compile {:.1} ms in {} build(s), run {:.1} ms\n",
        milliseconds(timing.prepare),
        milliseconds(timing.compile),
        timing.builds,
        milliseconds(timing.run)
    )
}
