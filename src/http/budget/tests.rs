use jiff::Timestamp;

use super::*;
use crate::http::bucket::UNIT_WINDOW;
use crate::http::retry::until_from;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

const SLOW: StatusCode = StatusCode::TOO_MANY_REQUESTS;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Sends and gets back at once.
fn pass(budget: &Arc<Budget>, bucket: &'static str, now: Instant) -> Verdict {
    let verdict = budget.verdict(bucket, now);
    if verdict == Verdict::Go {
        drop(Permit {
            budget: Arc::clone(budget),
        });
    }
    verdict
}

#[test]
fn one_pause_holds_back_everyone_in_the_bucket_and_nobody_else() {
    let budget = Budget::new(4, Pacing::None);
    let now = Instant::now();
    budget.observe_at("users", SLOW, &headers(&[("retry-after", "7")]), now);
    budget.observe_at("users", SLOW, &headers(&[("retry-after", "2")]), now);
    assert_eq!(pass(&budget, "groups", now), Verdict::Go);
    let open = now + seconds(7);
    assert_eq!(pass(&budget, "users", now + seconds(6)), Verdict::At(open));
    assert_eq!(pass(&budget, "users", open), Verdict::Go);
}

#[test]
fn a_429_halves_what_is_in_flight_until_it_is_calm_again() {
    let budget = Budget::new(4, Pacing::None);
    let mut now = Instant::now();
    for _ in 0..2 {
        budget.observe_at("", SLOW, &headers(&[("retry-after", "1")]), now);
    }
    now += seconds(1);
    assert_eq!(budget.verdict("", now), Verdict::Go);
    assert_eq!(budget.verdict("", now), Verdict::Go);
    assert_eq!(budget.verdict("", now), Verdict::Full);
    for _ in 0..CALM {
        budget.observe_at("", StatusCode::OK, &HeaderMap::new(), now);
    }
    assert_eq!(budget.verdict("", now), Verdict::Go);
    assert_eq!(budget.verdict("", now), Verdict::Full);
}

/// A service whose clock is far ahead of ours: only its own `Date` counts.
fn okta(limit: &str, left: &str) -> HeaderMap {
    headers(&[
        ("date", "Tue, 24 Nov 2099 10:00:00 GMT"),
        ("x-rate-limit-limit", limit),
        ("x-rate-limit-remaining", left),
        ("x-rate-limit-reset", "4099284040"),
    ])
}

fn window() -> Duration {
    let date: Timestamp = "2099-11-24T10:00:00Z".parse().unwrap();
    until_from(date, Timestamp::from_second(4_099_284_040).unwrap())
}

#[test]
fn okta_keeps_the_share_of_others_until_the_window_resets() {
    let budget = Budget::new(4, Pacing::Remaining { share: 0.5 });
    let now = Instant::now();
    budget.observe_at("users", StatusCode::OK, &okta("100", "52"), now);
    assert_eq!(pass(&budget, "users", now), Verdict::Go);
    budget.observe_at("users", StatusCode::OK, &okta("100", "50"), now);
    // An answer that was overtaken says less was used; it is not believed.
    budget.observe_at("users", StatusCode::OK, &okta("100", "90"), now);
    let resets = now + window();
    assert_eq!(pass(&budget, "users", now), Verdict::At(resets));
    assert_eq!(pass(&budget, "groups", now), Verdict::Go);
    assert_eq!(pass(&budget, "users", resets), Verdict::Go);
}

#[test]
fn okta_is_waited_for_until_its_bucket_resets_by_its_own_clock() {
    let budget = Budget::new(4, Pacing::Remaining { share: 0.5 });
    let pause = budget.observe_at("users", SLOW, &okta("100", "0"), Instant::now());
    assert_eq!(pause, Some(window() + seconds(1)));
}

#[test]
fn an_okta_concurrency_429_is_a_short_pause() {
    let budget = Budget::new(4, Pacing::Remaining { share: 0.5 });
    let pause = budget.observe_at("users", SLOW, &okta("0", "0"), Instant::now());
    assert!(pause.unwrap() <= seconds(1), "{pause:?}");
}

#[test]
fn graph_slows_down_only_near_its_limit() {
    let budget = Budget::new(8, Pacing::ResourceUnits { share: 0.5 });
    let mut now = Instant::now();
    let costs = |units| headers(&[("x-ms-resource-unit", units)]);
    for _ in 0..100 {
        assert_eq!(pass(&budget, "", now), Verdict::Go);
        budget.observe_at("", StatusCode::OK, &costs("2"), now);
    }
    budget.observe_at("", StatusCode::OK, &costs("4000"), now);
    assert_eq!(pass(&budget, "", now), Verdict::At(now + UNIT_WINDOW));
    now += UNIT_WINDOW;
    assert_eq!(pass(&budget, "", now), Verdict::Go);

    let near = headers(&[("x-ms-throttle-limit-percentage", "0.8")]);
    budget.observe_at("", StatusCode::OK, &near, now);
    assert!(matches!(pass(&budget, "", now), Verdict::At(_)));
    assert_eq!(pass(&budget, "", now + seconds(1)), Verdict::Go);
    assert!(matches!(
        pass(&budget, "", now + seconds(1)),
        Verdict::At(_)
    ));
}

#[test]
fn what_is_used_of_our_share_is_known_while_the_window_goes_on() {
    let now = Instant::now();
    let graph = Budget::new(4, Pacing::ResourceUnits { share: 0.5 });
    assert_eq!(graph.load_at(now), Load::default());
    assert_eq!(pass(&graph, "", now), Verdict::Go);
    let units = headers(&[("x-ms-resource-unit", "400")]);
    graph.observe_at("", StatusCode::OK, &units, now);
    graph.observe_at("", SLOW, &headers(&[("retry-after", "1")]), now);
    let load = graph.load_at(now);
    assert_eq!((load.throttled, load.used), (1, Some(0.1)));
    assert_eq!(graph.load_at(now + UNIT_WINDOW).used, Some(0.0));

    let okta = Budget::new(4, Pacing::Remaining { share: 0.5 });
    for (bucket, remaining) in [("users", "90"), ("groups", "60")] {
        let left = [
            ("x-rate-limit-limit", "100"),
            ("x-rate-limit-remaining", remaining),
        ];
        okta.observe_at(bucket, StatusCode::OK, &headers(&left), now);
    }
    assert_eq!(okta.load_at(now).used, Some(0.8));
    assert_eq!(okta.load_at(now + seconds(61)).used, Some(0.0));
}

#[test]
fn a_steady_rate_lets_a_burst_through_and_then_its_own_pace() {
    let pacing = Pacing::Steady {
        per_second: 2.0,
        burst: 3.0,
    };
    let budget = Budget::new(8, pacing);
    let mut now = Instant::now();
    assert_eq!(budget.load_at(now).used, None);
    for _ in 0..3 {
        assert_eq!(pass(&budget, "", now), Verdict::Go);
    }
    assert_eq!(budget.load_at(now).used, Some(1.0));
    let next = now + Duration::from_millis(500);
    assert_eq!(pass(&budget, "", now), Verdict::At(next));
    now = next;
    assert_eq!(pass(&budget, "", now), Verdict::Go);
    assert!(matches!(pass(&budget, "", now), Verdict::At(_)));
    // However long it is quiet, no more than the burst is saved up.
    now += seconds(3600);
    for _ in 0..3 {
        assert_eq!(pass(&budget, "", now), Verdict::Go);
    }
    assert!(matches!(pass(&budget, "", now), Verdict::At(_)));
}
