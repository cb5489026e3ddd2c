//! The environment's random numbers: a counter stream and sequential normals, both pure functions of a seed.
//!
//! Guarantees: bit for bit those of the learning references; nothing here keeps state between calls.
//!
//! Source: the mixing function is SplitMix64's (Steele, Lea, Flood 2014); normals are Box and Muller's, cosine half.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
/// Numbers per step of the counter stream.
const STREAMS: u64 = 8;

/// SplitMix64's finaliser.
pub fn mix64(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The 53 high bits as a number in [0, 1).
pub fn unit(z: u64) -> f64 {
    (z >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Number `k` (below 8) of step `t`, uniform in [0, 1).
pub fn uniform(seed: u64, t: u64, k: u64) -> f64 {
    let counter = t.wrapping_mul(STREAMS).wrapping_add(k).wrapping_add(1);
    unit(mix64(seed.wrapping_add(GAMMA.wrapping_mul(counter))))
}

/// Standard normals in sequence.
#[derive(Debug, Clone)]
pub struct Normals {
    state: u64,
}

impl Normals {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Normals {
        Normals { state: seed }
    }

    /// The next number, times `sd`.
    pub fn next(&mut self, sd: f64) -> f64 {
        let a = 1.0 - self.uniform();
        let b = self.uniform();
        (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos() * sd
    }

    /// The next `count` numbers, times `sd`.
    pub fn take(&mut self, count: usize, sd: f64) -> Vec<f64> {
        (0..count).map(|_| self.next(sd)).collect()
    }

    /// A gamma variate of this shape, at least 1, and scale 1. Source: Marsaglia and Tsang 2000.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        debug_assert!(shape >= 1.0, "INVARIANT: the method needs a shape of at least 1");
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.next(1.0);
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.uniform();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// A beta variate; both parameters are at least 1.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        x / (x + y)
    }

    /// The next number, uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(GAMMA);
        unit(mix64(self.state))
    }
}

/// The smallest index whose cumulative probability exceeds `u`; the last one when rounding leaves none.
pub fn pick(probabilities: &[f64], u: f64) -> usize {
    let mut cumulative = 0.0;
    for (index, probability) in probabilities.iter().enumerate() {
        cumulative += probability;
        if u < cumulative {
            return index;
        }
    }
    probabilities.len().saturating_sub(1)
}
