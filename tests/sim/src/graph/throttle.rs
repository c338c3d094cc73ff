//! Graph's quota in resource units.
//!
//! A window opens with the first request after the last one closed. Once its units are spent,
//! every request until its end gets 429 and is told how long that is.

use std::sync::Mutex;

use serde_json::json;

use super::tenant::TENANT_ID;
use crate::call::Call;
use crate::clock::{self, Millis};
use crate::reply::Reply;
use crate::settings::Settings;

/// The window under way.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    opened: Millis,
    spent: u64,
    refused_at: Option<Millis>,
}

/// What the quota says to a request.
#[derive(Debug)]
pub enum Verdict {
    /// Go on; the share of the window spent, when above 0.8.
    Pass { pressure: Option<f64> },
    /// Wait so long.
    Wait { millis: u64, early: bool },
}

impl Throttle {
    /// Charges a request.
    pub fn charge(&self, settings: &Settings, units: u64, now: Millis) -> Verdict {
        if settings.graph_ru == 0 {
            return Verdict::Pass { pressure: None };
        }
        let mut window = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if now >= window.opened + settings.graph_window_ms {
            *window = Window {
                opened: now,
                ..Window::default()
            };
        }
        if window.spent + units > settings.graph_ru {
            let grace = settings.early_grace_ms + settings.latency_ms;
            let early = window
                .refused_at
                .is_some_and(|refused| now > refused + grace);
            window.refused_at.get_or_insert(now);
            let end = window.opened + settings.graph_window_ms;
            return Verdict::Wait {
                millis: end - now,
                early,
            };
        }
        window.spent += units;
        let share = window.spent as f64 / settings.graph_ru as f64;
        Verdict::Pass {
            pressure: (share > 0.8).then_some(share),
        }
    }
}

/// What a request costs.
pub fn units(class: &str, call: &Call) -> u64 {
    let base: i64 = match class {
        "graph.users.list" | "graph.users.get" => 2,
        "graph.groups.members" => 3,
        "graph.groups.transitiveMembers" => 5,
        "graph.directoryObjects.getByIds" => 3,
        _ => 1,
    };
    let small = call
        .option("$top")
        .and_then(|top| top.parse::<u32>().ok())
        .is_some_and(|top| top < 20);
    let cost = base - i64::from(call.option("$select").is_some())
        + i64::from(call.option("$expand").is_some())
        - i64::from(small);
    cost.max(1) as u64
}

/// The documented 429.
pub fn refusal(settings: &Settings, millis: u64, now: Millis) -> Reply {
    let wait = if settings.graph_fractional_retry_after {
        format!("{}.{:03}", millis / 1_000, millis % 1_000)
    } else {
        millis.div_ceil(1_000).max(1).to_string()
    };
    let stamp = clock::iso_seconds(now);
    Reply::json(
        429,
        &json!({"error": {
            "code": "TooManyRequests",
            "message": "Please retry again later.",
            "innerError": {
                "code": "429",
                "date": stamp.trim_end_matches('Z'),
                "message": "Please retry after",
                "request-id": super::denied::request_id(now),
                "status": "429",
            },
        }}),
    )
    .with("Retry-After", wait)
    .with("x-ms-throttle-information", "ResourceUnitLimitExceeded")
    .with(
        "x-ms-throttle-scope",
        format!("Tenant_Application/ReadWrite/sim-client/{TENANT_ID}"),
    )
    .with("x-ms-throttle-limit-percentage", "1.2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_window_refuses_until_it_ends() {
        let settings = Settings {
            graph_ru: 3,
            graph_window_ms: 1_000,
            ..Settings::default()
        };
        let throttle = Throttle::default();
        let pass =
            |units, now| matches!(throttle.charge(&settings, units, now), Verdict::Pass { .. });
        assert!(pass(2, 10_000));
        assert!(!pass(2, 10_100));
        match throttle.charge(&settings, 2, 10_500) {
            Verdict::Wait { millis, early } => assert_eq!((millis, early), (500, true)),
            Verdict::Pass { .. } => panic!("the window is spent"),
        }
        assert!(pass(2, 11_000));
    }
}
