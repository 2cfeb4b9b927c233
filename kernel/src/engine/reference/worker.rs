//! The process that evcxr runs in.

use std::io::{BufRead as _, Write as _};
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};
use evcxr::{CommandContext, Error, EvalContext};

use super::Said;

/// Set for evcxr's own child, which is this program too.
const RUNTIME: &str = "EVCXR_IS_RUNTIME";

/// Serves cells, a line of JSON each, until standard input ends.
pub fn main() -> ExitCode {
    if std::env::var_os(RUNTIME).is_some() {
        evcxr::runtime_hook();
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("{error:#}");
            say(&Said::Failed("Error".into(), text.clone(), text));
            say(&Said::Done(vec![]));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<()> {
    let mut runtime = Command::new(std::env::current_exe()?);
    runtime.arg("evcxr");
    // The libraries that evcxr builds are moved, and then miss the standard library.
    if let Some(path) = crate::compiler::library_path() {
        runtime.env("LD_LIBRARY_PATH", path);
    }
    let (context, outputs) =
        EvalContext::with_subprocess_command(runtime).map_err(|error| anyhow!("{error}"))?;
    let mut context = CommandContext::with_eval_context(context);
    let (stdout, stderr) = (outputs.stdout, outputs.stderr);
    let printed = stdout.clone();
    std::thread::spawn(move || stderr.iter().for_each(|line| say(&Said::Stderr(line))));
    std::thread::spawn(move || printed.iter().for_each(|line| say(&Said::Stdout(line))));
    say(&done(&context));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(code) = serde_json::from_str::<String>(&line) else {
            continue;
        };
        let outcome = context.execute(&code);
        // The other thread takes what was printed before the cell's end.
        while !stdout.is_empty() {
            std::thread::yield_now();
        }
        match outcome {
            Ok(outputs) if outputs.content_by_mime_type.is_empty() => {}
            Ok(outputs) => {
                let shown = outputs.content_by_mime_type.into_iter();
                say(&Said::Shown(
                    shown.map(|(mime, text)| (mime, text.into())).collect(),
                ));
            }
            Err(error) => say(&failed(&error)),
        }
        say(&done(&context));
    }
    Ok(())
}

fn done(context: &CommandContext) -> Said {
    let variables = context.variables_and_types();
    Said::Done(
        variables
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .collect(),
    )
}

fn failed(error: &Error) -> Said {
    match error {
        Error::CompilationErrors(errors) => {
            let first = errors.first();
            let code = first.and_then(|error| error.code()).unwrap_or("error");
            let message = first.map(|error| error.message()).unwrap_or_default();
            let rendered: String = errors.iter().map(|error| error.rendered()).collect();
            Said::Failed(code.to_owned(), message, rendered)
        }
        Error::SubprocessTerminated(text) => {
            Said::Failed("ProcessDied".into(), text.clone(), text.clone())
        }
        other => Said::Failed("Error".into(), other.to_string(), other.to_string()),
    }
}

/// Each line whole, whichever thread says it.
fn say(said: &Said) {
    let mut out = std::io::stdout().lock();
    if let Ok(line) = serde_json::to_string(said) {
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
