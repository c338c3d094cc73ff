//! A progress bar on a terminal while a run fetches and applies; nothing elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::sync::Progress;

/// A bar where stderr is a terminal.
pub fn progress() -> Arc<dyn Progress> {
    match std::io::stderr().is_terminal() {
        true => Arc::new(Bar(ProgressBar::new_spinner())),
        false => Arc::new(()),
    }
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn fetching(&self, sources: &[String]) {
        self.0.enable_steady_tick(Duration::from_millis(120));
        self.0
            .set_message(format!("fetching {}", sources.join(", ")));
    }

    fn fetched(&self, source: &str, users: u64, groups: u64) {
        self.0
            .set_message(format!("{source}: {users} users, {groups} groups read"));
    }

    fn deciding(&self) {
        self.0.set_message("deciding");
    }

    fn applied(&self, actions: u64, of: u64) {
        if actions >= of {
            self.0.finish_and_clear();
            return;
        }
        let style = ProgressStyle::with_template("{spinner} applying [{bar:32}] {pos}/{len}");
        if let Ok(style) = style {
            self.0.set_style(style);
        }
        self.0.set_length(of);
        self.0.set_position(actions);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
