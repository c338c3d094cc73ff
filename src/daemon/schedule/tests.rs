use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Midnight, and so many seconds.
fn after(seconds: i64) -> Timestamp {
    at("2030-01-01T00:00:00Z") + SignedDuration::from_secs(seconds)
}

fn pull(schedule: &str) -> Pull {
    Pull {
        schedule: schedule.parse().unwrap(),
        full_schedule: "0 0 3 * * *".parse().unwrap(),
        jitter: Some(Duration::ZERO),
        rate_share: 0.5,
        concurrency: 8,
        timeout: Duration::from_secs(30),
        ca_file: None,
    }
}

fn pulls(names: &[&str]) -> BTreeMap<String, Pull> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), pull("5m")))
        .collect()
}

/// Sources that were read at midnight, whole, with the first wishes behind them.
fn running(names: &[&str]) -> Timetable {
    let mut table = Timetable::new(pulls(names), &BTreeMap::new(), after(0));
    assert_eq!(table.due(after(0)).len(), 1);
    for name in names {
        assert_eq!(
            table.ran(name, Verdict::Read { full: true }, after(0)),
            None
        );
    }
    table
}

fn said(wishes: Vec<Asked>) -> Vec<String> {
    wishes
        .into_iter()
        .map(|asked| {
            format!(
                "{}{}",
                asked.sources.join("+"),
                if asked.full { " full" } else { "" }
            )
        })
        .collect()
}

#[test]
fn everything_is_read_once_at_the_start_in_one_run() {
    let mut table = Timetable::new(pulls(&["a", "b"]), &BTreeMap::new(), after(0));
    assert_eq!(said(table.due(after(0))), ["a+b"]);
    assert_eq!(said(table.due(after(1000))), [""; 0]);
}

#[test]
fn a_source_starts_again_an_interval_after_its_run_each_alone() {
    let mut table = running(&["a", "b"]);
    table.ran("b", Verdict::Read { full: false }, after(60));
    assert_eq!(table.next(), Some(after(300)));
    assert_eq!(said(table.due(after(299))), [""; 0]);
    assert_eq!(said(table.due(after(300))), ["a"]);
    assert_eq!(said(table.due(after(400))), ["b"]);
}

#[test]
fn a_run_that_somebody_else_asked_for_counts() {
    let mut table = running(&["a"]);
    table.ran("a", Verdict::Read { full: false }, after(200));
    assert_eq!(table.next(), Some(after(500)));
}

#[test]
fn a_full_run_comes_at_its_own_time_and_counts_for_both() {
    let mut table = running(&["a"]);
    let three = 3 * 3600;
    table.ran("a", Verdict::Read { full: false }, after(three - 10));
    assert_eq!(said(table.due(after(three))), ["a full"]);
    table.ran("a", Verdict::Read { full: true }, after(three + 30));
    assert_eq!(table.next(), Some(after(three + 330)));
    assert_eq!(table.planned()["a"], after(three + 330));
}

#[test]
fn missed_times_are_made_up_for_once() {
    let mut table = running(&["a"]);
    let days = 3 * 86_400;
    assert_eq!(said(table.due(after(days))), ["a full"]);
    table.ran("a", Verdict::Read { full: true }, after(days));
    assert_eq!(said(table.due(after(days + 299))), [""; 0]);
    assert_eq!(said(table.due(after(days + 300))), ["a"]);
}

#[test]
fn a_full_run_missed_while_the_daemon_was_down_is_made_up_for() {
    let state = SourceState {
        last_full: Some(after(-86_400)),
        last_run: Some(after(-3600)),
        ..SourceState::default()
    };
    let states = [("a".to_owned(), state)].into();
    let mut table = Timetable::new(pulls(&["a", "b"]), &states, after(4 * 3600));
    assert_eq!(said(table.due(after(4 * 3600))), ["b", "a full"]);
}

#[test]
fn a_failing_source_is_tried_ever_more_rarely_up_to_an_hour_and_the_other_is_not() {
    let mut table = running(&["a", "b"]);
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..7 {
        table.ran("a", Verdict::Failed, after(now));
        let next = table.planned()["a"];
        pauses.push(next.duration_since(after(now)).as_secs() / 60);
        now += next.duration_since(after(now)).as_secs();
        assert!(said(table.due(after(now))).contains(&"a".to_owned()) || now >= 3 * 3600);
        table.ran("b", Verdict::Read { full: true }, after(now));
        assert_eq!(table.planned()["b"], after(now + 300));
    }
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60, 60]);
}

#[test]
fn after_five_failures_in_a_row_a_source_is_quarantined_once_and_comes_back() {
    let mut table = running(&["a"]);
    let news: Vec<_> = (0..6)
        .map(|_| table.ran("a", Verdict::Failed, after(0)))
        .collect();
    let quarantined = news.iter().position(Option::is_some);
    assert_eq!(
        (quarantined, news[4].clone()),
        (Some(4), Some(News::Quarantined))
    );
    assert_eq!(news[5], None);
    let back = table.ran("a", Verdict::Read { full: false }, after(0));
    assert_eq!(back, Some(News::Back));
}

#[test]
fn a_source_that_failed_before_a_restart_keeps_its_distance() {
    let state = SourceState {
        failures: 3,
        last_run: Some(after(-60)),
        ..SourceState::default()
    };
    let states = [("a".to_owned(), state)].into();
    let mut table = Timetable::new(pulls(&["a", "b"]), &states, after(0));
    assert_eq!(said(table.due(after(0))), ["b"]);
    assert_eq!(table.planned()["a"], after(20 * 60 - 60));
}

#[test]
fn a_daily_source_that_fails_is_tried_within_the_hour() {
    let pulls = [("a".to_owned(), pull("0 0 6 * * *"))].into();
    let mut table = Timetable::new(pulls, &BTreeMap::new(), after(0));
    table.due(after(0));
    table.ran("a", Verdict::Failed, after(0));
    assert_eq!(table.next(), Some(after(3600)));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_runs() {
    let mut table = running(&["a"]);
    assert_eq!(said(table.due(after(-86_400))), [""; 0]);
    assert_eq!(table.next(), Some(after(300 - 86_400)));
}

#[test]
fn the_end_of_a_grace_period_and_what_is_owed_get_a_run_of_their_own() {
    let mut table = running(&["a", "b"]);
    table.grace_ends(Some(after(100)));
    assert_eq!(said(table.due(after(99))), [""; 0]);
    assert_eq!(said(table.due(after(100))), ["a+b"]);
    assert_eq!(said(table.due(after(101))), [""; 0]);
    table.owes(Some(1), after(110));
    assert_eq!(table.next(), Some(after(140)));
    table.owes(Some(3), after(110));
    assert_eq!(table.next(), Some(after(230)));
    table.ran("a", Verdict::Failed, after(120));
    assert_eq!(said(table.due(after(230))), ["b"]);
    table.owes(Some(0), after(110));
    assert_eq!(table.next(), Some(after(300)));
}

#[test]
fn jitter_only_ever_puts_a_start_off_and_not_for_long() {
    let mut pulls = pulls(&["a"]);
    pulls.get_mut("a").unwrap().jitter = Some(Duration::from_secs(20));
    let mut table = Timetable::new(pulls, &BTreeMap::new(), after(0));
    for _ in 0..50 {
        table.ran("a", Verdict::Read { full: false }, after(0));
        let next = table.next().unwrap();
        assert!(next >= after(300) && next <= after(320), "{next}");
    }
}

#[test]
fn new_settings_add_and_drop_sources_and_keep_the_others_in_their_place() {
    let mut table = running(&["a", "b"]);
    table.reload(pulls(&["b", "c"]), after(50));
    assert_eq!(said(table.due(after(50))), ["c"]);
    assert_eq!(table.planned().keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(table.planned()["b"], after(300));
    let quicker = [("b".to_owned(), pull("1m"))].into();
    table.reload(quicker, after(60));
    assert_eq!(table.next(), Some(after(120)));
}

#[test]
fn a_wish_that_nobody_took_is_made_again() {
    let mut table = running(&["a"]);
    assert_eq!(said(table.due(after(300))), ["a"]);
    table.put_off(&["a".to_owned()], after(300));
    assert_eq!(said(table.due(after(310))), ["a"]);
}
