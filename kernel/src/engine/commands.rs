//! Lines that begin with a colon, at the head of a cell.

use super::evaluator::Engine;
use super::{CellError, Event, report};

const HELP: &str = r#"Everything in dlcore::prelude is there already: try `Tensor::arange(0., 6., 1.).reshape([2, 3])`.
A last line without a semicolon is shown. Variables and functions stay for the next cells; `?` ends a cell with an error.
Pass tensors and models by reference (`&x`) and they stay yours.
`display(&x)` shows in the middle of a cell; `input("Name? ")?` asks. A cell that fails keeps nothing that it bound.
Interrupting ends training at the next batch and keeps the model; a second press ends a cell that does not yield.
Data: `datasets::mnist::load()?`, `datasets::imdb::load(10_000)?`; a CSV file of yours: `files::read_csv("data.csv")?` (`:doc files`).
Prepare it (`:doc preprocessing`): `train_test_split`, `Normalization`, `to_categorical`; texts: `Tokenizer`, `pad_sequences`;
pictures: `load_img`, `image_dataset_from_directory`. Look at it: `plot::image(&x)`, `history.plot()` (`:doc plot`).
Keep a model: `model.save("m.dl")?`, `Sequential::load("m.dl")?`; layers: `:doc layers`. A name alone is found, too: `:doc read_csv`.
Functions and types are compiled into each cell, so a `static` begins anew in each: keep what lasts in a variable.

A network, from data to a look at what it learned:
    let x = Tensor::normal([200, 2], 0.0, 1.0);
    let y = x.sum_axis_keep(1);
    let mut model = Sequential::new().add(Dense::new(16).activation("relu").input_shape([2])).add(Dense::new(1));
    model.compile("adam", "mse", ["mae"])?;
    let history = model.fit(&x, &y, Fit::epochs(20).validation_split(0.2))?;
    model.predict(&x.slice(..3))?

:doc      what a name is: `:doc Dense::new`, or `Dense::new?`
:dep      adds a crate, as Cargo.toml names it: `:dep rand = "0.9"`
:vars     the variables of this session and their types
:time     how long an expression takes, by running it often: `:time x.dot(&y)`
:opt      how far cells are optimised, 0 (the usual) to 3: for loops of your own; dlcore always is
:restart  begins the session anew, without variables and definitions
:engine   what evaluates: `:engine evcxr` is evcxr's own evaluator, `:engine rustc` (the usual) goes back
:timing   where the time of the last cell went
:help     this text
"#;

/// Each command and what it does, as the help has them.
pub fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_commands = HELP.lines().filter(|line| line.starts_with(':'));
    let split = of_commands.filter_map(|line| line.split_once(' '));
    split.map(|(name, text)| (name, text.trim()))
}

/// The commands a cell begins with, and the cell with as many blanks in their place, so that every
/// offset and every line in it stays.
pub fn split(code: &str) -> (Vec<&str>, String) {
    let mut commands = vec![];
    let mut rest = String::with_capacity(code.len());
    let mut at_head = true;
    for line in code.split_inclusive('\n') {
        let trimmed = line.trim();
        let is_command = trimmed.starts_with(':') && !trimmed.starts_with("::");
        at_head &= is_command || trimmed.is_empty() || trimmed.starts_with("//");
        if at_head && is_command {
            commands.push(trimmed);
            let text = line.trim_end_matches(['\r', '\n']);
            rest.extend(std::iter::repeat_n(' ', text.len()));
            rest.push_str(&line[text.len()..]);
        } else {
            rest.push_str(line);
        }
    }
    (commands, rest)
}

/// Turns `:time EXPRESSION` into a call that runs it over and over.
fn timed(code: &str) -> Result<String, CellError> {
    let is_time = |line: &&str| line.split_whitespace().next() == Some(":time");
    let (commands, _) = split(code);
    let Some(line) = commands.into_iter().find(is_time) else {
        return Ok(code.to_owned());
    };
    let expression = line.trim_start_matches(":time").trim();
    if expression.is_empty() {
        let message = "expected an expression, for instance `:time x.dot(&y)`; `:timing` tells where the time of the last cell went";
        return Err(report::plain("UnknownCommand", message.to_owned()));
    }
    let call =
        format!("::dlcore::cell::time(&mut || {{ ::std::hint::black_box({{ {expression} }}); }})");
    let at = line.as_ptr() as usize - code.as_ptr() as usize;
    Ok(format!("{}{call}{}", &code[..at], &code[at + line.len()..]))
}

/// Settings of evcxr's that mean nothing here.
const SETTINGS: &[&str] = &[
    ":cache",
    ":sccache",
    ":linker",
    ":codegen_backend",
    ":fmt",
    ":offline",
    ":toolchain",
    ":types",
    ":efmt",
    ":preserve_vars_on_panic",
    ":allow_static_linking",
    ":build_env",
    ":quiet",
];

/// Runs the commands a cell begins with. Returns the rest of the cell.
pub(super) fn run(
    engine: &mut Engine,
    code: &str,
    sink: &mut dyn FnMut(Event),
) -> Result<String, CellError> {
    let code = &timed(code)?;
    let (commands, rest) = split(code);
    let is_dep = |command: &&str| command.split_whitespace().next() == Some(":dep");
    let (crates, commands): (Vec<_>, Vec<_>) = commands.into_iter().partition(is_dep);
    if !crates.is_empty() {
        engine.add_crates(&crates, sink)?;
    }
    for command in commands {
        let said = answer(engine, command, sink)?;
        if !said.is_empty() {
            sink(Event::Stdout(said.into_bytes()));
        }
    }
    Ok(rest)
}

/// Whether a cell chooses what evaluates: then it goes to no other engine.
pub(super) fn names_engine(code: &str) -> bool {
    let (commands, _) = split(code);
    commands
        .iter()
        .any(|command| command.starts_with(":engine"))
}

fn answer(
    engine: &mut Engine,
    command: &str,
    sink: &mut dyn FnMut(Event),
) -> Result<String, CellError> {
    let (name, rest) = command
        .split_once(char::is_whitespace)
        .unwrap_or((command, ""));
    match name {
        ":engine" => engine.choose(rest.trim(), sink),
        ":help" => Ok(HELP.to_owned()),
        ":vars" => Ok(engine.list_variables()),
        ":timing" => Ok(timing(engine)),
        ":doc" => Err(report::plain(
            "UnknownCommand",
            "expected a name, alone in its cell, for instance `:doc Tensor::zeros`".to_owned(),
        )),
        ":opt" => engine.optimise(rest.trim()),
        ":restart" | ":clear" => engine.restart(),
        name if SETTINGS.contains(&name) => Ok(format!(
            "{name} is a setting of evcxr's and changes nothing here\n"
        )),
        name => Err(report::plain(
            "UnknownCommand",
            match nearest(name) {
                Some(near) => format!("there is no command {name}; did you mean {near}?"),
                None => format!("there is no command {name}; `:help` lists those there are"),
            },
        )),
    }
}

/// Commands that begin so, or else the one that is nearly called so.
fn nearest(name: &str) -> Option<String> {
    let begun: Vec<&str> = listed()
        .map(|(known, _)| known)
        .filter(|known| name.len() > 1 && known.starts_with(name))
        .collect();
    if !begun.is_empty() {
        return Some(begun.join(" or "));
    }
    let near = listed()
        .map(|(known, _)| (strsim::osa_distance(name, known), known))
        .min()?;
    (near.0 <= 2 && near.0 + 1 < name.len()).then(|| near.1.to_owned())
}

fn timing(engine: &Engine) -> String {
    let timing = &engine.last_timing;
    let milliseconds = |part: std::time::Duration| part.as_secs_f64() * 1e3;
    let part = |(name, time)| format!("{name} {:.1} ms", milliseconds(time));
    let parts = timing.parts().map(part).join(", ");
    let builds = match timing.builds {
        1 => "1 build".to_owned(),
        builds => format!("{builds} builds"),
    };
    format!(
        "{parts}; {builds}, {:.1} ms in all\n",
        milliseconds(timing.total)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_help_is_listed() {
        let listed: Vec<_> = listed().collect();
        assert!(listed.contains(&(":vars", "the variables of this session and their types")));
        assert_eq!(listed.len(), HELP.matches("\n:").count());
    }

    #[test]
    fn the_help_names_what_newcomers_look_for() {
        for name in [
            "files::read_csv",
            "train_test_split",
            "Tokenizer",
            "load_img",
            "plot::",
            ":doc files",
        ] {
            assert!(HELP.contains(name), "{name}");
        }
        assert_eq!(nearest(":tim").as_deref(), Some(":time or :timing"));
        assert_eq!(nearest(":hlep").as_deref(), Some(":help"));
        assert_eq!(nearest(":nonsense"), None);
    }

    #[test]
    fn commands_stand_at_the_head_and_leave_blanks() {
        let code = "// first\n:vars\n  :dep é = \"1\"\n::std::mem::drop(1);\n:vars";
        let (commands, rest) = split(code);
        assert_eq!(commands, [":vars", ":dep é = \"1\""]);
        assert_eq!(rest.len(), code.len());
        assert!(rest.ends_with("\n::std::mem::drop(1);\n:vars"), "{rest}");
        assert!(rest.starts_with("// first\n     \n"), "{rest}");
    }
}
