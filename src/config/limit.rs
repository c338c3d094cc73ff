//! How much a plan may take away before it is held: a count, or a share of what there is.

use std::fmt;
use std::str::FromStr;

/// A percentage never holds a plan that takes away fewer than this many. In a small
/// company one leaver is already a large share, and nobody wants a held run for one.
pub const FLOOR: u64 = 5;

/// A limit of the guard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// At most this many; 0 lets nothing through.
    Count(u64),
    /// At most this share, in percent (0 to 100), of what was linked before the run.
    Percent(f64),
}

impl Limit {
    /// Whether taking away `n` of `population` stays within the limit.
    ///
    /// Exactly the limit is still within. Under a percentage, fewer than [`FLOOR`] always
    /// are.
    pub fn allows(&self, n: u64, population: u64) -> bool {
        match *self {
            Limit::Count(most) => n <= most,
            Limit::Percent(_) if n < FLOOR => true,
            Limit::Percent(percent) => n as f64 * 100.0 <= percent * population as f64,
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("must be a count such as 20 or a percentage such as \"10%\", not \"{text}\"")
        };
        match text.trim().strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Limit::Percent(percent)),
                Ok(_) => Err(format!(
                    "must be between \"0%\" and \"100%\", not \"{text}\""
                )),
                Err(_) => Err(expected()),
            },
            None => text
                .trim()
                .parse()
                .map(Limit::Count)
                .map_err(|_| expected()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Count(most) => write!(f, "{most}"),
            Limit::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_never_trips_below_five() {
        let limit: Limit = "10%".parse().unwrap();
        assert!(limit.allows(4, 4));
        assert!(!limit.allows(5, 10));
        assert!(limit.allows(5, 50));
        assert!(!limit.allows(6, 50));
        assert!("0%".parse::<Limit>().unwrap().allows(4, 1000));
        assert!(!"0%".parse::<Limit>().unwrap().allows(5, 1000));
    }

    #[test]
    fn a_count_is_exact() {
        let limit: Limit = "3".parse().unwrap();
        assert!(limit.allows(3, 3));
        assert!(!limit.allows(4, 1_000_000));
        assert!(!Limit::Count(0).allows(1, 1_000_000));
    }

    #[test]
    fn exactly_the_share_is_within() {
        assert!(Limit::Percent(10.0).allows(100, 1000));
        assert!(!Limit::Percent(10.0).allows(101, 1000));
        assert!("2.5%".parse::<Limit>().unwrap().allows(25, 1000));
    }

    #[test]
    fn what_is_neither_count_nor_percentage_is_refused() {
        for bad in ["", "%", "ten", "-1", "-1%", "101%", "nan%", "1.5"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }
}
