//! NumPy's `RandomState`, as far as Keras needs it: MT19937, its numbers, bounded integers and shuffle.
//!
//! Keras shuffles IMDB and Reuters with `RandomState(113)`, and varies pictures by what it draws; only
//! the same generator lands in the same order. M. Matsumoto and T. Nishimura, *Mersenne Twister* (1998); bounded integers and shuffle
//! follow NumPy's legacy generator, which is frozen.

const SIZE: usize = 624;
const MIDDLE: usize = 397;

/// A Mersenne Twister, seeded as `numpy.random.RandomState(seed)`.
pub(crate) struct RandomState {
    state: [u32; SIZE],
    next: usize,
}

impl RandomState {
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; SIZE];
        for i in 1..SIZE {
            let before = state[i - 1];
            state[i] = 1_812_433_253_u32
                .wrapping_mul(before ^ (before >> 30))
                .wrapping_add(i as u32);
        }
        RandomState { state, next: SIZE }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == SIZE {
            self.twist();
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9d2c_5680;
        bits ^= (bits << 15) & 0xefc6_0000;
        bits ^ (bits >> 18)
    }

    fn twist(&mut self) {
        for i in 0..SIZE {
            let bits = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % SIZE] & 0x7fff_ffff);
            let odd = if bits & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + MIDDLE) % SIZE] ^ (bits >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// A number from 0 to below 1, in steps of 2⁻⁵³.
    pub fn random(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// A number from `low` to `high`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.random()
    }

    /// A whole number from 0 to `max`, both included: masked bits, drawn until they fit.
    pub fn interval(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let value = self.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// Fisher and Yates's shuffle from the back, as `RandomState.shuffle` of an array.
    ///
    /// At most `u32::MAX` elements: past that NumPy draws 64 bits.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.interval(i as u32) as usize);
        }
    }

    /// `0..count` in shuffled order.
    pub fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        self.shuffle(&mut order);
        order
    }
}
