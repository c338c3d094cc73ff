//! A held run is released over HTTP, exactly as shown and once.

use serde_json::json;

use super::guarded;
use crate::served::Served;
use crate::world::{World, deeds, text};

fn disable(world: &World, positions: &[usize]) {
    for &position in positions {
        let user = world.entra_user(position);
        let change = json!({ "accountEnabled": false });
        world.sim.patch_user(&user, change).expect("a change");
    }
}

#[test]
fn a_held_run_is_approved_exactly_as_shown_and_once() {
    let world = guarded();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    let approve = |run: &str| {
        let path = format!("/api/v1/runs/{run}/approve");
        served.call("POST", &path, None)
    };

    disable(&world, &[14, 17, 18]);
    let held = served.sync(json!({}));
    assert_eq!(held["status"], "held", "{held:#}");
    let run = text(&held["run"]);
    assert_eq!(served.get("/api/v1/status").json()["held"], json!([run]));
    let kept = served.get(&format!("/api/v1/runs/{run}")).is(200).json();
    assert_eq!(kept["actions"], held["actions"]);

    disable(&world, &[16]);
    let before = world.accounts("store");
    let refused = approve(&run);
    let problem = refused.json();
    assert_eq!(problem["plan"]["status"], "held");
    assert_eq!(deeds(&problem["plan"]).len(), deeds(&held).len() + 1);
    assert!(refused.problem(409).contains("otherwise"));
    assert_eq!(world.accounts("store"), before, "nothing was applied");

    let taken = served.call("POST", "/api/v1/sync", Some(json!({}))).is(202);
    let again = served.wait_for("the run", |served| {
        let answer = served.get(taken.header("location"));
        (answer.status == 200).then(|| answer.json())
    });
    let next = text(&again["run"]);
    assert_ne!(next, run);
    assert!(approve(&run).problem(409).contains("held no longer"));
    let done = approve(&next).is(200).json();
    assert_eq!(done["status"], "applied");
    let kept = served.get(&format!("/api/v1/runs/{next}")).is(200).json();
    assert_eq!(kept, done, "a run that was held is kept as it ended");
    assert_eq!(deeds(&done), deeds(&again));
    assert!(
        approve(&next)
            .problem(409)
            .contains("is not held: it is applied")
    );
    assert_eq!(served.get("/api/v1/status").json()["held"], json!([]));
    assert_eq!(served.sync(json!({}))["actions"], json!([]));
}
