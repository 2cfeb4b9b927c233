//! The patterns of a search: `*` for any text, `?` for one character.

/// Whether all of `text` fits the pattern.
pub(super) fn matches_glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star turns out not to fit.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    retry = Some((after_star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        matches_glob(&chars(pattern), &chars(text))
    }

    #[test]
    fn globs() {
        assert!(glob("*", ""));
        assert!(glob("let*x", "let mut x"));
        assert!(glob("?é*", "aé∂"));
        assert!(glob("*a*ab", "aaab"));
        assert!(!glob("let", "let x"));
        assert!(!glob("*y", "let x"));
    }
}
