//! A budget is kept: nothing is asked for again before the time the service named.

use serde_json::json;

use crate::oracle::Oracle;
use crate::settings::{Portal, Settings, Source};
use crate::world::World;
use rosterd_sim::SimOptions;

fn settings(sources: Vec<Source>) -> Settings {
    Settings::new(sources, vec![Portal::new("dashboard", "remove")])
}

#[test]
fn under_a_small_budget_a_run_ends_and_never_comes_back_too_early() {
    let options = SimOptions {
        users: 600,
        groups: 60,
        memberships: 3_000,
        ..SimOptions::default()
    };
    // As the smallest tenants have it, at ten times the pace.
    let source = Source::entra().with("rate_share = 1.0");
    let mut world = World::new(options, settings(vec![source]));
    world.settings.portals[0].sources = vec!["entra"];
    world.rewrite();
    let budget = json!({"graph_ru": 20, "graph_window_ms": 1_000, "early_grace_ms": 100});
    world.sim.settings(budget).expect("settings");
    let mut oracle = Oracle::default();
    world.settles(&mut oracle);
    let stats = world.sim.stats();
    assert_eq!(stats.early_returns, 0, "{stats:?}");
}

#[test]
fn okta_that_refuses_is_left_alone_until_it_says() {
    let options = SimOptions {
        okta_users: 300,
        okta_groups: 40,
        okta_memberships: 1_000,
        ..SimOptions::default()
    };
    let source = Source::okta().with("rate_share = 1.0");
    let mut world = World::new(options, settings(vec![source]));
    world.settings.portals[0].sources = vec!["okta"];
    world.rewrite();
    let budget = json!({"okta_limits": {"default": 10}, "okta_window_ms": 1_000});
    world.sim.settings(budget).expect("settings");
    let mut oracle = Oracle::default();
    world.settles(&mut oracle);
    let stats = world.sim.stats();
    assert_eq!(stats.early_returns, 0, "{stats:?}");
}

#[test]
fn a_pause_that_is_asked_for_is_kept() {
    for (source, path) in [(Source::entra(), "/v1.0/*"), (Source::okta(), "/api/v1/*")] {
        let name = source.name;
        let mut world = World::small(settings(vec![source]));
        world.settings.portals[0].sources = vec![name];
        world.rewrite();
        let rule = json!([{"path": path, "nth": 2, "kind": "status", "status": 429,
            "retry_after": "1"}]);
        world.sim.faults(rule).expect("a rule");
        let mut oracle = Oracle::default();
        world.settles(&mut oracle);
        let stats = world.sim.stats();
        assert_eq!((stats.throttled, stats.early_returns), (1, 0), "{stats:?}");
    }
}

#[test]
fn a_quiet_incremental_run_costs_at_most_four_requests_a_source() {
    for everyone in [false, true] {
        let mut sources = vec![Source::entra(), Source::okta()];
        for source in &mut sources {
            source.assigned = !everyone;
        }
        let world = World::small(settings(sources));
        world.sync(&[]);
        world.sync(&[]);
        for _ in 0..3 {
            world.sim.reset_stats();
            let plan = world.sync(&[]);
            let classes = world.sim.stats().classes;
            for (source, vendor) in [("entra", "graph."), ("okta", "okta.")] {
                let asked: u64 = classes
                    .iter()
                    .filter(|(name, _)| name.starts_with(vendor) && !name.ends_with("token"))
                    .map(|(_, class)| class.requests)
                    .sum();
                assert!(asked <= 4, "{source}: {classes:?}");
                assert_eq!(plan["sources"][source]["requests"], asked, "{classes:?}");
            }
        }
    }
}
