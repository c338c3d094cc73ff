//! Sizes on disk as operators write them: `"512MiB"`, `"2GiB"`. A bare number is refused
//! rather than guessed at.

const UNITS: [(&str, u64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// This reads a whole number with its unit, as bytes.
pub fn parse(text: &str) -> Result<u64, String> {
    let refused = || format!("must be a size such as \"512MiB\" or \"2GiB\", not \"{text}\"");
    let text_of = |unit: &str| text.trim().strip_suffix(unit).map(str::trim_end);
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, bytes)| Some((text_of(name)?, bytes)))
        .ok_or_else(refused)?;
    let number: u64 = number.parse().map_err(|_| refused())?;
    number.checked_mul(*unit).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(parse("512MiB"), Ok(512 << 20));
        assert_eq!(parse(" 2 GiB "), Ok(2 << 30));
        for bad in [
            "",
            "5",
            "GiB",
            "5GB",
            "-1GiB",
            "1.5GiB",
            "99999999999999TiB",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
