//! Lengths of time as operators write them: `"90s"`, `"1h30m"`, `"250ms"`.
//!
//! Every length carries its unit; a bare number is refused rather than guessed at. In
//! code a length is a [`Duration`].

use std::time::Duration;

/// The units, longest first, with their length in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const EXPECTED: &str = "must be a length of time such as \"90s\", \"5m\" or \"1h30m\"";

/// This reads a length of time: one or more whole numbers, each with its unit (`w`, `d`,
/// `h`, `m`, `s`, `ms`). `"0s"` is a length of time too.
pub fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let Ok(number) = number.parse::<u64>() else {
            return Err(format!("{EXPECTED}, not \"{text}\""));
        };
        if unit.is_empty() {
            return Err(format!(
                "{EXPECTED}: \"{text}\" has no unit (ms, s, m, h, d, w)"
            ));
        }
        let Some((_, unit_ms)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!(
                "{EXPECTED}: unknown unit '{unit}' (ms, s, m, h, d, w)"
            ));
        };
        total_ms = number
            .checked_mul(*unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .filter(|ms| *ms <= LONGEST_MS)
            .ok_or_else(|| format!("\"{text}\" is longer than ten years"))?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total_ms))
}

/// Ten years: whoever writes more means "never", and adding it to a time stays in range.
const LONGEST_MS: u64 = 3653 * 24 * 3_600_000;

/// This writes a length of time the way [`parse`] reads it.
pub fn show(length: Duration) -> String {
    let mut left_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, unit_ms) in UNITS {
        if left_ms >= unit_ms {
            text.push_str(&format!("{}{unit}", left_ms / unit_ms));
            left_ms %= unit_ms;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        assert_eq!(parse("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(parse("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse("1h 30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse("1w1d").unwrap(), Duration::from_secs(8 * 86400));
        assert_eq!(parse("0s").unwrap(), Duration::ZERO);
    }

    #[test]
    fn a_length_without_a_known_unit_is_refused() {
        for bad in ["", "5", "m", "5x", "1h30", "-5m", "5 parsecs", "1.5h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("999999999999999999w").is_err());
        assert!(
            parse("5parsecs")
                .unwrap_err()
                .contains("unknown unit 'parsecs'")
        );
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["0s", "90s", "1h30m", "2w", "24h", "1ms"] {
            let length = parse(text).unwrap();
            assert_eq!(parse(&show(length)).unwrap(), length);
        }
        assert_eq!(show(Duration::from_secs(90)), "1m30s");
    }
}
