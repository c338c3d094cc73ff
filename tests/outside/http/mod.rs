//! The HTTP side of the daemon: real sockets against the built binary.

mod answers;
mod approval;
mod connections;
mod console;
mod problems;
mod tls;
mod triggers;

use crate::settings::{Portal, Settings, Source};
use crate::world::World;

/// Two companies, a dashboard, and devices. Nothing runs by itself in the time of a test, but
/// for what the daemon does when it starts.
fn world() -> World {
    let quiet = "schedule = \"24h\"\n";
    let sources = vec![Source::entra().with(quiet), Source::okta().with(quiet)];
    let portals = vec![
        Portal::new("dashboard", "remove").named("dashboard"),
        Portal::new("mdm", "change_policy").named("mdm"),
    ];
    World::small(Settings::new(sources, portals))
}

/// One store portal in which more than two deactivations are held, and no run that comes by
/// itself after the first.
fn guarded() -> World {
    let portal = Portal::new("store", "remove")
        .named("store")
        .from(&["entra"]);
    let source = Source::entra().with("schedule = \"24h\"\n");
    let mut settings = Settings::new(vec![source], vec![portal]);
    settings.safety = "max_deactivations = 2\n".to_owned();
    World::small(settings)
}
