use super::*;

fn schedule(text: &str) -> Schedule {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn next(schedule: &Schedule, then: &str) -> String {
    schedule
        .next_after(then.parse().unwrap())
        .unwrap()
        .to_string()
}

fn berlin(text: &str) -> Schedule {
    schedule(text).in_zone(TimeZone::get("Europe/Berlin").unwrap())
}

#[test]
fn an_interval_counts_from_the_last_time() {
    assert_eq!(
        next(&schedule("90s"), "2030-01-01T00:00:00Z"),
        "2030-01-01T00:01:30Z"
    );
    assert_eq!(
        next(&schedule("1h30m"), "2030-01-01T00:00:00Z"),
        "2030-01-01T01:30:00Z"
    );
}

#[test]
fn six_fields_have_seconds_and_seven_a_year() {
    assert_eq!(
        next(&schedule("0 */5 * * * *"), "2030-01-01T00:02:03Z"),
        "2030-01-01T00:05:00Z"
    );
    assert_eq!(
        next(&schedule("*/10 * * * * *"), "2030-01-01T00:00:50Z"),
        "2030-01-01T00:01:00Z"
    );
    assert_eq!(
        next(&schedule("0 0 3 * * *"), "2030-01-01T03:00:00Z"),
        "2030-01-02T03:00:00Z"
    );
    assert_eq!(
        next(&schedule("0 0 0 1 1 * 2032"), "2030-06-01T00:00:00Z"),
        "2032-01-01T00:00:00Z"
    );
    assert_eq!(
        schedule("0 0 0 1 1 * 2020").next_after("2030-01-01T00:00:00Z".parse().unwrap()),
        None
    );
}

#[test]
fn the_time_after_a_broken_second_is_the_next_whole_one() {
    assert_eq!(
        next(&schedule("* * * * * *"), "2030-01-01T00:00:00.5Z"),
        "2030-01-01T00:00:01Z"
    );
    assert_eq!(
        next(&schedule("* * * * * *"), "2030-01-01T00:00:00Z"),
        "2030-01-01T00:00:01Z"
    );
}

#[test]
fn five_fields_begin_at_second_zero() {
    assert_eq!(
        next(&schedule("*/5 * * * *"), "2030-01-01T00:02:03Z"),
        "2030-01-01T00:05:00Z"
    );
}

#[test]
fn numeric_days_of_the_week_are_counted_as_unix_counts_them() {
    // 2030-01-01 is a Tuesday, so the Sunday after is the 6th.
    for sunday in ["0", "7", "SUN", "sun"] {
        let schedule = schedule(&format!("0 0 * * {sunday}"));
        assert_eq!(
            next(&schedule, "2030-01-01T00:00:00Z"),
            "2030-01-06T00:00:00Z",
            "{sunday}"
        );
    }
    assert_eq!(
        next(&schedule("0 0 * * 1-5"), "2030-01-04T00:00:00Z"),
        "2030-01-07T00:00:00Z"
    );
    assert_eq!(
        next(&schedule("0 0 * * 5-7"), "2030-01-01T00:00:00Z"),
        "2030-01-04T00:00:00Z"
    );
    assert_eq!(
        next(&schedule("0 0 * * 6-1"), "2030-01-01T00:00:00Z"),
        "2030-01-05T00:00:00Z"
    );
    assert_eq!(
        next(&schedule("0 0 * * */3"), "2030-01-01T00:00:00Z"),
        "2030-01-02T00:00:00Z"
    );
}

#[test]
fn the_leap_day_is_found() {
    assert_eq!(
        next(&schedule("0 0 29 2 *"), "2030-01-01T00:00:00Z"),
        "2032-02-29T00:00:00Z"
    );
    assert_eq!(
        schedule("0 0 31 2 *").next_after("2030-01-01T00:00:00Z".parse().unwrap()),
        None
    );
}

#[test]
fn what_is_neither_interval_nor_cron_is_refused() {
    for bad in [
        "",
        "0s",
        "5",
        "often",
        "* * * *",
        "61 * * * * *",
        "0 0 * * 8",
        "0 0 * * mon-",
        "@daily",
    ] {
        assert!(bad.parse::<Schedule>().is_err(), "{bad}");
    }
}

#[test]
fn a_schedule_shows_as_it_was_written() {
    assert_eq!(schedule("*/5 * * * 1").to_string(), "*/5 * * * 1");
    assert_eq!(schedule("5m").to_string(), "5m");
}

#[test]
fn a_timezone_moves_the_hour() {
    assert_eq!(
        next(&berlin("0 0 3 * * *"), "2030-01-01T00:00:00Z"),
        "2030-01-01T02:00:00Z"
    );
    assert_eq!(
        next(&berlin("0 0 3 * * *"), "2030-07-01T00:00:00Z"),
        "2030-07-01T01:00:00Z"
    );
}

#[test]
fn a_time_the_clock_jumps_over_is_met_right_after() {
    // On 2030-03-31 in Berlin, 02:00 becomes 03:00 at 01:00 UTC.
    let nightly = berlin("0 30 2 * * *");
    assert_eq!(
        next(&nightly, "2030-03-30T12:00:00Z"),
        "2030-03-31T01:30:00Z"
    );
    assert_eq!(
        next(&nightly, "2030-03-31T01:30:00Z"),
        "2030-04-01T00:30:00Z"
    );
}

#[test]
fn a_time_that_comes_twice_is_met_once() {
    // On 2030-10-27 in Berlin, 03:00 becomes 02:00 at 01:00 UTC.
    let nightly = berlin("0 30 2 * * *");
    assert_eq!(
        next(&nightly, "2030-10-26T12:00:00Z"),
        "2030-10-27T00:30:00Z"
    );
    assert_eq!(
        next(&nightly, "2030-10-27T00:30:00Z"),
        "2030-10-28T01:30:00Z"
    );
}

#[test]
fn a_schedule_of_every_hour_does_not_pause_when_the_clock_is_set_back() {
    for (then, met) in [
        ("2030-10-27T00:55:00Z", "2030-10-27T01:00:00Z"),
        ("2030-10-27T01:00:00Z", "2030-10-27T01:05:00Z"),
        ("2030-10-27T01:55:00Z", "2030-10-27T02:00:00Z"),
        ("2030-03-31T00:55:00Z", "2030-03-31T01:00:00Z"),
    ] {
        assert_eq!(next(&berlin("0 */5 * * * *"), then), met);
    }
}

#[test]
fn default_jitter_is_a_tenth_and_never_long() {
    let then = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(schedule("10s").default_jitter(then), Duration::from_secs(1));
    assert_eq!(
        schedule("0 0 3 * * *").default_jitter(then),
        Duration::from_secs(30)
    );
}
