//! How much a cell may print: a notebook that holds a hundred megabytes of text freezes its page.

/// What one cell may print, in bytes.
const MOST: usize = 4 << 20;
/// What a change between standard output and error takes of that: each is a message of its own.
const CHANGE: usize = 1 << 10;

/// What a cell may still print, and what it printed beyond that.
#[derive(Debug)]
pub struct Allowance {
    left: usize,
    left_out: u64,
    /// How much had been left out when that was last said.
    said: Option<u64>,
}

impl Default for Allowance {
    fn default() -> Self {
        Allowance {
            left: MOST,
            left_out: 0,
            said: None,
        }
    }
}

impl Allowance {
    /// The part of `bytes` that may be shown.
    pub fn admit<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (shown, rest) = bytes.split_at(bytes.len().min(self.left));
        self.left -= shown.len();
        self.left_out += rest.len() as u64;
        shown
    }

    /// The cell has changed from one stream to the other.
    pub fn charge_change(&mut self) {
        self.left = self.left.saturating_sub(CHANGE);
    }

    /// What to say when output begins to be left out.
    pub fn first_note(&mut self) -> Option<String> {
        if self.left_out == 0 || self.said.is_some() {
            return None;
        }
        self.said = Some(0);
        Some(format!(
            "\n[this cell has printed {}, or changed between standard output and error {} times; \
             the rest is not shown, the cell runs on]\n",
            megabytes(MOST as u64),
            MOST / CHANGE
        ))
    }

    /// What to say when the cell is over.
    pub fn last_note(&mut self) -> Option<String> {
        if self.said.is_none_or(|said| said == self.left_out) {
            return None;
        }
        self.said = Some(self.left_out);
        Some(format!(
            "[{} of output left out. To have it all, write it to a file: \
             let mut file = std::io::BufWriter::new(std::fs::File::create(\"output.txt\")?); \
             then std::io::Write::write_all(&mut file, text.as_bytes())?;]\n",
            megabytes(self.left_out)
        ))
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_the_allowance_is_counted_and_told_once() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.admit(&vec![0; MOST - 1]).len(), MOST - 1);
        assert_eq!(allowance.first_note(), None);
        assert_eq!(allowance.last_note(), None);
        assert_eq!(allowance.admit(b"abc"), b"a");
        assert!(
            allowance
                .first_note()
                .is_some_and(|note| note.contains("4.0 MB"))
        );
        allowance.charge_change();
        assert_eq!(allowance.first_note(), None);
        assert!(allowance.admit(&vec![0; 3 << 20]).is_empty());
        assert!(
            allowance
                .last_note()
                .is_some_and(|note| note.contains("3.0 MB of output left out"))
        );
        assert_eq!(allowance.last_note(), None);
    }
}
