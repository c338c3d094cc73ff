//! Any number of triggers at once are a few runs.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::world;
use crate::served::{Served, TOKEN};
use crate::world::text;

/// How many clients there are.
const CLIENTS: usize = 200;

#[test]
fn ten_thousand_triggers_are_a_few_runs() {
    let world = world();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    let trigger = |_| {
        let request = served.request("POST", "/api/v1/sync").bearer_auth(TOKEN);
        async move {
            let answer = request.json(&json!({})).send().await.expect("an answer");
            assert_eq!(answer.status(), 202);
            let taken: Value = answer.json().await.expect("JSON");
            text(&taken["run"])
        }
    };
    let triggers = stream::iter(0..10_000)
        .map(trigger)
        .buffer_unordered(CLIENTS);
    let runs: BTreeSet<String> = served.block_on(triggers.collect());
    let last = runs.last().expect("there is one").clone();
    served.wait_for("the last run", |served| {
        let answer = served.get(&format!("/api/v1/runs/{last}"));
        (answer.status == 200).then_some(())
    });
    // One after another for as long as triggers come: they take a few seconds to send, and a
    // quiet run some fifty milliseconds at the least.
    assert!(runs.len() < 1000, "{} runs", runs.len());
    let kept = served.pages("/api/v1/runs", 1000, "before");
    let kept: BTreeSet<String> = kept.iter().map(|run| text(&run["run"])).collect();
    assert!(
        runs.is_subset(&kept),
        "every run that was promised took place"
    );
    assert!(
        kept.len() <= runs.len() + 4,
        "{} runs, {} promised",
        kept.len(),
        runs.len()
    );
}
