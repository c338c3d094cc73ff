//! Numbers and times as people read them.

pub fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How long until `then`, in its two largest units: `in 2 d 3 h`.
pub fn countdown(now: jiff::Timestamp, then: jiff::Timestamp) -> String {
    let seconds = then.as_second() - now.as_second();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        _ if seconds <= 0 => "now".to_owned(),
        (0, 0, 0) => format!("in {seconds} s"),
        (0, 0, minutes) => format!("in {minutes} min"),
        (0, hours, 0) => format!("in {hours} h"),
        (0, hours, minutes) => format!("in {hours} h {minutes} min"),
        (days, 0, _) => format!("in {days} d"),
        (days, hours, _) => format!("in {days} d {hours} h"),
    }
}

pub fn counted(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", number(count))
}

/// `1,234,567`.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{countdown, counted, number};

    #[test]
    fn a_countdown_has_two_units_at_most() {
        let now: jiff::Timestamp = "2026-11-22T01:02:03Z".parse().unwrap();
        let after = |seconds| countdown(now, now + jiff::SignedDuration::from_secs(seconds));
        assert_eq!(after(-1), "now");
        assert_eq!(after(0), "now");
        assert_eq!(after(59), "in 59 s");
        assert_eq!(after(61), "in 1 min");
        assert_eq!(after(3_600), "in 1 h");
        assert_eq!(after(86_399), "in 23 h 59 min");
        assert_eq!(after(86_400), "in 1 d");
        assert_eq!(after(93_784), "in 1 d 2 h");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "user"), "1 user");
        assert_eq!(counted(2, "user"), "2 users");
    }
}
