//! A progress bar on a terminal while a run fetches and applies; nothing elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::sync::{Progress, Step};

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// A bar where stderr is a terminal.
pub fn progress() -> Arc<dyn Progress> {
    match std::io::stderr().is_terminal() {
        true => Arc::new(Bar(ProgressBar::new_spinner())),
        false => Arc::new(()),
    }
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn step(&self, step: Step) {
        match step {
            Step::Waiting => {
                self.0.enable_steady_tick(TICK);
                self.0.set_message("waiting for another run to end");
            }
            Step::Fetching { sources } => {
                self.0.enable_steady_tick(TICK);
                self.0
                    .set_message(format!("fetching {}", sources.join(", ")));
            }
            Step::Fetched {
                source,
                users,
                groups,
            } => self
                .0
                .set_message(format!("{source}: {users} users, {groups} groups read")),
            Step::Deciding => self.0.set_message("deciding"),
            Step::Applied { actions, of } if actions < of => {
                let style =
                    ProgressStyle::with_template("{spinner} applying [{bar:32}] {pos}/{len}");
                if let Ok(style) = style {
                    self.0.set_style(style);
                }
                self.0.set_length(of);
                self.0.set_position(actions);
            }
            Step::Applied { .. } => self.0.finish_and_clear(),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
