//! The process's one pool of threads: as many as there are cores, or as `DLCORE_THREADS` says.
//!
//! The pool is rayon's own, so a program that computes with rayon shares it, and no core is asked for twice. It
//! is made before the first tensor is; a program that has made it before has chosen its size.

use std::sync::Once;

const VARIABLE: &str = "DLCORE_THREADS";

/// Makes the pool, the first time.
#[inline]
pub(crate) fn ready() {
    static MADE: Once = Once::new();
    MADE.call_once(make);
}

#[cold]
fn make() {
    let Some(wanted) = std::env::var_os(VARIABLE) else {
        return; // rayon makes its own, when it is needed
    };
    match number(&wanted.to_string_lossy()) {
        Ok(threads) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            if let Err(problem) = pool.build_global() {
                eprintln!("{VARIABLE}={threads} comes to nothing: {problem}");
            }
        }
        Err(problem) => eprintln!("{problem}"),
    }
}

/// The most that is believed to be meant.
const MOST: usize = 256;

fn number(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(threads) if (1..=MOST).contains(&threads) => Ok(threads),
        _ => Err(format!(
            "{VARIABLE}={text}: expected a number of threads from 1 to {MOST}; every core is used"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_of_threads_is_whole_and_not_zero() {
        assert_eq!(number(" 3 "), Ok(3));
        for text in ["", "0", "-1", "2.5", "two", "257"] {
            let problem = number(text).unwrap_err();
            assert!(
                problem.starts_with(&format!("DLCORE_THREADS={text}: ")),
                "{problem}"
            );
        }
    }
}
