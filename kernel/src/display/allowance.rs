//! How much of what a cell prints is shown: a notebook with hundreds of thousands of lines freezes its page.
//!
//! The first lines are shown as they come. Of what follows, the last lines are kept and shown when the cell is
//! over, below a note of how much is left out between them.

use std::collections::VecDeque;

use super::Name;

/// What one cell may print, in lines.
const LINES: usize = 5000;
/// What it may print in bytes that stay: a progress bar that goes back by `\r` to write over itself takes nothing.
const STAYING: usize = 1 << 20;
/// What it may print in bytes, whether they stay or not.
const MOST: usize = 4 << 20;
/// What a change between standard output and error takes of that: each is a message of its own.
const CHANGE: usize = 1 << 10;
/// So many lines are shown of the end.
const LAST_LINES: usize = 100;
/// So many bytes are shown of the end.
const LAST_BYTES: usize = 64 << 10;

/// What a cell may still print, and the end of what it printed beyond that.
#[derive(Debug)]
pub struct Allowance {
    lines: usize,
    staying: usize,
    all: usize,
    /// Bytes of the last line so far.
    line: usize,
    /// Whether output has begun to be kept back.
    over: bool,
    kept_back: Count,
    told: bool,
    last: VecDeque<(Name, Vec<u8>)>,
}

/// What came from which stream, in order.
type Pieces = Vec<(Name, Vec<u8>)>;

/// Lines and bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    lines: usize,
    bytes: usize,
}

impl Count {
    fn of(bytes: &[u8]) -> Count {
        Count {
            lines: bytes.iter().filter(|&&byte| byte == b'\n').count(),
            bytes: bytes.len(),
        }
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Allowance {
            lines: LINES,
            staying: STAYING,
            all: MOST,
            line: 0,
            over: false,
            kept_back: Count::default(),
            told: false,
            last: VecDeque::new(),
        }
    }
}

impl Allowance {
    /// The part of `bytes` that may be shown at once; the rest is kept back.
    pub fn admit<'b>(&mut self, name: Name, bytes: &'b [u8]) -> &'b [u8] {
        let shown = if self.over { 0 } else { self.fitting(bytes) };
        let (shown, rest) = bytes.split_at(shown);
        if !rest.is_empty() {
            self.over = true;
            self.keep_back(name, rest);
        }
        shown
    }

    /// How many of `bytes` fit, which are then taken off.
    fn fitting(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.lines == 0 || self.staying == 0 || self.all == 0 {
                return at;
            }
            self.all -= 1;
            self.staying -= 1;
            self.line += 1;
            match byte {
                b'\n' => {
                    self.lines -= 1;
                    self.line = 0;
                }
                b'\r' => self.staying += std::mem::take(&mut self.line),
                _ => {}
            }
        }
        bytes.len()
    }

    fn keep_back(&mut self, name: Name, bytes: &[u8]) {
        let count = Count::of(bytes);
        self.kept_back.lines += count.lines;
        self.kept_back.bytes += count.bytes;
        let end = last_of(bytes, LAST_LINES, LAST_BYTES);
        if end.len() < bytes.len() {
            self.last.clear();
        }
        match self.last.back_mut() {
            Some((same, waiting)) if *same == name && waiting.len() < LAST_BYTES => {
                waiting.extend_from_slice(end);
            }
            _ => self.last.push_back((name, end.to_vec())),
        }
        // Whole pieces that the ones behind them have pushed out.
        let mut behind: Count = self.waiting();
        while let Some((_, first)) = self.last.front() {
            let first = Count::of(first);
            behind.lines -= first.lines;
            behind.bytes -= first.bytes;
            if self.last.len() == 1 || behind.lines < LAST_LINES && behind.bytes < LAST_BYTES {
                break;
            }
            self.last.pop_front();
        }
    }

    fn waiting(&self) -> Count {
        let mut all = Count::default();
        for (_, piece) in &self.last {
            let piece = Count::of(piece);
            all.lines += piece.lines;
            all.bytes += piece.bytes;
        }
        all
    }

    /// The cell has changed from one stream to the other.
    pub fn charge_change(&mut self) {
        self.all = self.all.saturating_sub(CHANGE);
    }

    /// What to say when output begins to be kept back.
    pub fn first_note(&mut self) -> Option<String> {
        if !self.over || self.told {
            return None;
        }
        self.told = true;
        Some(
            "\n[long output: the rest is not shown, the cell runs on; its last lines come at the end]\n"
                .to_owned(),
        )
    }

    /// When the cell is over: what to say of what is left out, and the lines that end it.
    pub fn end(&mut self) -> Option<(Option<String>, Pieces)> {
        if self.last.is_empty() {
            return None;
        }
        let mut pieces = vec![];
        let (mut lines, mut bytes) = (LAST_LINES, LAST_BYTES);
        while let Some((name, piece)) = self.last.pop_back() {
            let end = last_of(&piece, lines, bytes);
            let count = Count::of(end);
            let whole = end.len() == piece.len();
            lines -= count.lines.min(lines);
            bytes -= count.bytes.min(bytes);
            pieces.insert(0, (name, end.to_vec()));
            if !whole || lines == 0 || bytes == 0 {
                break;
            }
        }
        self.last.clear();
        let kept_back = std::mem::take(&mut self.kept_back);
        let shown = pieces.iter().map(|(_, piece)| Count::of(piece));
        let left_out = shown.fold(kept_back, |left, shown| Count {
            lines: left.lines.saturating_sub(shown.lines),
            bytes: left.bytes.saturating_sub(shown.bytes),
        });
        let note = (left_out.bytes > 0).then(|| {
            format!(
                "[{} ({}) left out here; for all of it, write it to a file: `std::fs::write(\"output.txt\", text)?`]\n",
                counted(left_out.lines),
                size(left_out.bytes)
            )
        });
        Some((note, pieces))
    }
}

/// The end of `bytes`: at most so many lines, and so many bytes.
fn last_of(bytes: &[u8], lines: usize, most: usize) -> &[u8] {
    let bytes = &bytes[bytes.len() - bytes.len().min(most)..];
    let ends = bytes.iter().enumerate().rev();
    // The last line may end with the text, or have no end yet.
    let ends = ends.filter(|&(at, &byte)| byte == b'\n' && at + 1 < bytes.len());
    match ends.map(|(at, _)| at + 1).nth(lines.saturating_sub(1)) {
        Some(start) => &bytes[start..],
        None => bytes,
    }
}

/// `693,214 lines`
fn counted(lines: usize) -> String {
    let digits = lines.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if lines == 1 { "line" } else { "lines" })
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(numbers: std::ops::Range<usize>) -> Vec<u8> {
        let lines = numbers.map(|number| format!("{number}\n"));
        lines.collect::<String>().into_bytes()
    }

    /// What is shown at once, and at the end, of output that comes in pieces of `size`.
    fn shown(output: &[u8], size: usize) -> (Vec<u8>, String) {
        let mut allowance = Allowance::default();
        let mut first = vec![];
        for piece in output.chunks(size) {
            first.extend_from_slice(allowance.admit(Name::Stdout, piece));
        }
        let mut last = String::new();
        if let Some((note, pieces)) = allowance.end() {
            last += &note.unwrap_or_default();
            for (_, piece) in pieces {
                last += std::str::from_utf8(&piece).unwrap();
            }
        }
        assert_eq!(allowance.end(), None, "told once");
        (first, last)
    }

    #[test]
    fn the_first_and_the_last_lines_are_shown() {
        let output = lines(0..300_000);
        let last = String::from_utf8(lines(299_900..300_000)).unwrap();
        for size in [7, 65_536, output.len()] {
            let (first, end) = shown(&output, size);
            assert_eq!(first, lines(0..LINES), "in pieces of {size}");
            assert!(
                end.starts_with("[294,900 lines (2.0 MB) left out here;"),
                "{end}"
            );
            assert_eq!(end.split_once('\n').unwrap().1, last, "in pieces of {size}");
        }
    }

    #[test]
    fn a_little_too_much_is_shown_whole() {
        let (first, end) = shown(&lines(0..LINES + 50), 1000);
        assert_eq!(first, lines(0..LINES));
        assert_eq!(end.into_bytes(), lines(LINES..LINES + 50));
        let (first, end) = shown(&lines(0..LINES), 1000);
        assert_eq!((first, end), (lines(0..LINES), String::new()));
    }

    #[test]
    fn one_endless_line_is_cut_too() {
        let (first, end) = shown(&vec![b'x'; 3 << 20], 65_536);
        assert_eq!(first.len(), STAYING);
        let (note, last) = end.split_once('\n').unwrap();
        assert!(
            note.starts_with("[0 lines (2.0 MB) left out here;"),
            "{note}"
        );
        assert_eq!(last.len(), LAST_BYTES);
    }

    #[test]
    fn a_line_that_is_written_over_takes_nothing() {
        let bar = "\r [=====>     ] loss 0.123 ".repeat(100_000);
        let (first, end) = shown(bar.as_bytes(), 1000);
        assert_eq!((first.len(), end.as_str()), (bar.len(), ""));
    }

    #[test]
    fn both_streams_end_in_their_order() {
        let mut allowance = Allowance::default();
        allowance.admit(Name::Stdout, &lines(0..LINES));
        assert_eq!(allowance.first_note(), None);
        for number in 0..1000 {
            let line = format!("{number}\n");
            assert!(allowance.admit(Name::Stdout, line.as_bytes()).is_empty());
            assert!(allowance.admit(Name::Stderr, line.as_bytes()).is_empty());
        }
        assert!(allowance.first_note().is_some());
        assert_eq!(allowance.first_note(), None);
        let (note, pieces) = allowance.end().unwrap();
        assert!(note.unwrap().starts_with("[1,900 lines ("));
        let expected: Vec<_> = (950..1000)
            .flat_map(|number| {
                let line = format!("{number}\n").into_bytes();
                [(Name::Stdout, line.clone()), (Name::Stderr, line)]
            })
            .collect();
        assert_eq!(pieces, expected);
    }
}
