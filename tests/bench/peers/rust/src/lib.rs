//! What both peers need: figures, time and random data.

use std::time::Instant;

/// Prints a figure as dlcore's bench example reads it.
pub fn tell(peer: &str, case: &str, metric: &str, value: f64) {
    println!(r#"{{"peer":"{peer}","case":"{case}","metric":"{metric}","value":{value:e}}}"#);
}

/// The largest resident memory so far in MB, where the system tells.
pub fn tell_peak(peer: &str, case: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    if let Some(kilobytes) = kilobytes {
        tell(peer, case, "peak_MB", kilobytes / 1024.0);
    }
}

/// The median time of what is run again and again, at least twice and for a second and a half, after a
/// first time that warms up.
pub fn timed(mut run: impl FnMut()) -> f64 {
    run();
    let (begun, mut seconds) = (Instant::now(), Vec::new());
    while seconds.len() < 2 || begun.elapsed().as_secs_f64() < 1.5 {
        let start = Instant::now();
        run();
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Xorshift; good enough for data that is only timed.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }

    pub fn units(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.unit()).collect()
    }

    pub fn whole(&mut self, count: usize, end: usize) -> Vec<u32> {
        (0..count).map(|_| self.below(end) as u32).collect()
    }

    pub fn shuffled(&mut self, count: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count as u32).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }

    /// Rows of 10,000 in which some 150 words are set; frequent words have low numbers.
    pub fn reviews(&mut self, count: usize) -> Vec<f32> {
        let mut rows = vec![0.0; count * 10_000];
        for row in rows.chunks_mut(10_000) {
            for _ in 0..150 {
                row[(self.unit().powi(4) * 9_999.0) as usize] = 1.0;
            }
        }
        rows
    }
}
