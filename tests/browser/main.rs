//! The console in a real browser: Chromium, driven over WebDriver, against the built binary and
//! pretend tenants.
//!
//! What pages say is tested in tests/outside/http; here it is what only a browser knows: that
//! forms and sessions work, that nothing on a page is refused by its own policy or complained
//! about, that the keyboard reaches everything, that every page fits and can be read. The
//! screenshots are left in target/screenshots for people to look at.

mod approval;
mod driver;
mod keyboard;
mod looks;
mod pages;
mod session;

// What the tests of commands and of the API are made of.
#[path = "../outside/oracle.rs"]
#[expect(dead_code, reason = "only the worlds are needed here")]
mod oracle;
#[path = "../outside/served.rs"]
#[expect(dead_code, reason = "the tests of the API use the rest")]
mod served;
#[path = "../outside/service.rs"]
#[expect(dead_code, reason = "the tests of the daemon use the rest")]
mod service;
#[path = "../outside/settings.rs"]
#[expect(dead_code, reason = "the tests of commands use the rest")]
mod settings;
#[path = "../outside/world.rs"]
#[expect(dead_code, reason = "the tests of commands use the rest")]
mod world;

use serde_json::json;

use settings::{Portal, Settings, Source};
use world::{World, text};

/// Two companies and one portal of each kind that looks different. More than two deactivations
/// are held, and nothing runs by itself after the first run.
fn company() -> World {
    let quiet = "schedule = \"24h\"\n";
    let sources = vec![Source::entra().with(quiet), Source::okta().with(quiet)];
    let mut dashboard = Portal::new("dashboard", "remove").named("dashboard");
    dashboard.default_role = Some("viewer");
    dashboard.grace = Some("24h");
    let portals = vec![
        Portal::new("store", "remove")
            .named("store")
            .from(&["entra"]),
        dashboard,
        Portal::new("mdm", "change_policy").named("mdm"),
    ];
    let mut settings = Settings::new(sources, portals);
    settings.safety = "max_deactivations = 2\n".to_owned();
    World::small(settings)
}

/// Lets three people go, which the guard holds.
fn three_leave(world: &World) {
    let truth = world.sim.graph_truth();
    for position in [14, 17, 18] {
        let user = text(&truth["users"][position]["id"]);
        let change = json!({ "accountEnabled": false });
        world.sim.patch_user(&user, change).expect("a change");
    }
}

/// The address of a person who has an account in every portal.
fn somebody(world: &World) -> String {
    text(&world.sim.graph_truth()["users"][15]["mail"]).to_lowercase()
}
