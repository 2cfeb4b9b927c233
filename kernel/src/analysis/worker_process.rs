//! The worker's own side: evcxr's context, fed with questions from standard input.
//!
//! A process rather than a thread: what rust-analyzer allocates goes back when it ends, what it
//! breaks does not break the notebook, and its environment can be set.

use super::worker::{Answer, Found, Question, What};
use anyhow::{Context as _, Result, anyhow};
use evcxr::{CommandContext, EvalContext};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc;

/// Set for evcxr's own child, which is this program too.
const RUNTIME: &str = "EVCXR_IS_RUNTIME";

/// A directory for evcxr's session: locked while it is used, removed afterwards. Those that a kill
/// left behind go when the next one is made.
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes one in the cache directory.
    pub fn make() -> Result<Directory> {
        let cache = dirs::cache_dir().context("there is no cache directory; set HOME")?;
        Directory::make_below(&cache.join("rust-dl/analysis"))
    }

    fn make_below(parent: &Path) -> Result<Directory> {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
        remove_stale(parent);
        let path = parent.join(uuid::Uuid::new_v4().to_string());
        // Locked before it is there to be found: a lock file beside the directory.
        let lock = File::create(path.with_extension("lock"))?;
        lock.try_lock()
            .map_err(|error| anyhow!("cannot lock {}: {error}", path.display()))?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Directory { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The worker may still be writing while it is being killed: what is left then goes next time.
        let _ = std::fs::remove_dir_all(&self.path);
        if !self.path.exists() {
            let _ = std::fs::remove_file(self.path.with_extension("lock"));
        }
    }
}

fn remove_stale(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let free = File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok());
        if free {
            let _ = std::fs::remove_dir_all(path.with_extension(""));
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Serves questions until standard input ends.
pub fn main(home: &Path, directory: &Path) -> ExitCode {
    if std::env::var_os(RUNTIME).is_some() {
        evcxr::runtime_hook();
    }
    // A panic in rust-analyzer costs one answer; nobody reads its backtrace.
    std::panic::set_hook(Box::new(|_| {}));
    let result = serve(home, directory);
    let _ = std::fs::remove_dir_all(directory);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rust-dl analyse: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(home: &Path, directory: &Path) -> Result<()> {
    let questions = read_questions(directory.to_owned());
    let library = write_library_view(home, directory)?;
    let mut context = start(home, directory)?;
    // The first question makes rust-analyzer read std and dlcore: better ours than the user's.
    answer(&mut context, &library, &Question::first());
    say(&Answer::ready())?;
    while let Ok(mut question) = questions.recv() {
        // Whoever asked again no longer waits for the answer before.
        while let Ok(newer) = questions.try_recv() {
            question = newer;
        }
        say(&answer(&mut context, &library, &question))?;
    }
    Ok(())
}

/// Reads standard input on a thread of its own; its end, which is the kernel's, ends the process
/// whatever it is doing.
fn read_questions(directory: PathBuf) -> mpsc::Receiver<Question> {
    let (asked, questions) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Ok(question) = serde_json::from_str(&line) {
                let _ = asked.send(question);
            }
        }
        let _ = std::fs::remove_dir_all(&directory);
        std::process::exit(0);
    });
    questions
}

fn say(answer: &Answer) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

fn start(home: &Path, directory: &Path) -> Result<CommandContext> {
    let mut runtime = Command::new(std::env::current_exe()?);
    runtime.arg("analyse").arg(home).arg(directory);
    // evcxr moves the libraries it builds, and a relative search path in them then misses the
    // standard library whenever its directory and the toolchain lie below the same one, as in HOME.
    if let Some(path) = crate::compiler::library_path() {
        runtime.env("LD_LIBRARY_PATH", path);
    }
    let (context, outputs) =
        EvalContext::with_subprocess_command(runtime).map_err(|error| anyhow!("{error}"))?;
    // Nothing is run here, so nothing comes; but senders must not fail.
    std::mem::forget(outputs);
    Ok(CommandContext::with_eval_context(context))
}

/// A manifest that shows dlcore's source without its dependencies: rust-analyzer then loads std and
/// dlcore and nothing else. dlcore's signatures name its own types and std's.
fn write_library_view(home: &Path, directory: &Path) -> Result<String> {
    let source = home.join("src/dlcore/src/lib.rs");
    let view = directory.join("dlcore-view");
    std::fs::create_dir_all(&view)?;
    let manifest = format!(
        "[package]\nname = \"dlcore\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [lib]\npath = {:?}\n\n[workspace]\n",
        source.display().to_string()
    );
    std::fs::write(view.join("Cargo.toml"), manifest)?;
    Ok(format!(
        ":dep dlcore = {{ path = {:?} }}\n",
        view.display().to_string()
    ))
}

fn answer(context: &mut CommandContext, library: &str, question: &Question) -> Answer {
    let text = format!("{library}{}", question.text);
    let offset = library.len() + question.offset;
    let found = catch_unwind(AssertUnwindSafe(|| match question.what {
        What::Complete => complete(context, &text, offset, library.len()),
        What::Inspect => inspect(context, &text, offset),
    }));
    Answer {
        id: question.id,
        ..found.unwrap_or_default()
    }
}

fn complete(context: &mut CommandContext, text: &str, offset: usize, added: usize) -> Answer {
    let found = context.completions(text, offset).ok().and_then(|found| {
        Some(Found {
            start: found.start_offset.checked_sub(added)?,
            end: found.end_offset.checked_sub(added)?,
            matches: tidy(
                found
                    .completions
                    .into_iter()
                    .map(|one| (one.code, one.kind.to_owned(), one.label)),
            ),
        })
    });
    Answer {
        complete: found,
        ..Answer::default()
    }
}

/// One entry a name, in order. A call comes without its parentheses: no notebook can put the cursor
/// where the arguments go, and what would stand there had to be deleted. Whole expressions and
/// snippets, which rust-analyzer offers too, stay out.
fn tidy(found: impl Iterator<Item = (String, String, String)>) -> Vec<(String, String, String)> {
    let mut by_name = BTreeMap::new();
    for (text, kind, label) in found {
        let call = text.trim_end_matches(';').strip_suffix(')');
        let name = match call.and_then(|call| call.split_once('(')) {
            Some((name, arguments)) if !arguments.contains(['(', ')']) => name,
            _ => text.as_str(),
        };
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '!' | ':' | '#');
        if name.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        // What begins with an underscore is hardly meant.
        let key = (name.starts_with('_'), name.to_owned());
        let entry = (name.to_owned(), kind, label);
        // A private field of a type of std has the name of its method: the method is meant.
        if entry.1 == "function" {
            by_name.insert(key, entry);
        } else {
            by_name.entry(key).or_insert(entry);
        }
    }
    by_name.into_values().collect()
}

fn inspect(context: &mut CommandContext, text: &str, offset: usize) -> Answer {
    let found = context.hover_at(text, offset).ok();
    Answer {
        inspect: found.filter(|(plain, _)| plain != "No documentation found"),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_are_names() {
        let found = [
            ("len", "instance", "len"),
            ("reshape(shape)", "function", "reshape(…)"),
            ("len()", "function", "len()"),
            ("iter().len()", "function", "iter().len()"),
            ("if x {\n    \n}", "keyword", "if"),
            ("__private()", "function", "__private()"),
            ("println!()", "function", "println!(…)"),
            ("models::", "module", "models::"),
        ]
        .map(|(text, kind, label)| (text.to_owned(), kind.to_owned(), label.to_owned()));
        let tidied = tidy(found.into_iter());
        let texts: Vec<_> = tidied.iter().map(|(text, ..)| text.as_str()).collect();
        assert_eq!(
            texts,
            ["len", "models::", "println!", "reshape", "__private"]
        );
        assert_eq!(tidied[0].2, "len()");
    }

    #[test]
    fn a_directory_goes_with_its_owner_and_a_stale_one_with_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let stale = parent.path().join("killed");
        std::fs::create_dir(&stale).unwrap();
        std::fs::write(stale.with_extension("lock"), "").unwrap();

        let first = Directory::make_below(parent.path()).unwrap();
        assert!(!stale.exists());
        let second = Directory::make_below(parent.path()).unwrap();
        assert!(first.path().exists() && second.path().exists());
        drop(first);
        drop(second);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
