//! `rosterd audit verify`: whether the audit log is what was written.

use serde_json::json;

use crate::app;
use crate::audit::{Mark, Verdict, verify};
use crate::config::Loaded;
use crate::sync::AUDIT_NOTE;

use super::{Exit, Output};

#[derive(clap::Subcommand)]
pub enum Args {
    /// Reads every line and says what was changed or is missing.
    Verify {
        #[arg(long, value_enum, default_value_t)]
        format: Output,
    },
}

pub fn run(args: &Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let Args::Verify { format } = args;
    let store = app::open_store(loaded)?.store;
    let mark = store.note(AUDIT_NOTE)?;
    let mark = mark.as_deref().and_then(Mark::from_text);
    let history = app::history_of(&loaded.settings);
    let audit = app::audit_of(&loaded.settings);
    let verdict = verify(audit.place(), mark.as_ref(), |run| history.file(run))?;
    let Verdict {
        lines,
        first,
        last,
        plans,
        faults,
    } = &verdict;
    match format {
        Output::Json => println!(
            "{:#}",
            json!({
                "whole": faults.is_empty(),
                "lines": lines,
                "first": first,
                "last": last,
                "plans": plans,
                "faults": faults,
            })
        ),
        Output::Text => {
            for fault in faults {
                println!("{fault}");
            }
            let word = if faults.is_empty() {
                "whole"
            } else {
                "NOT whole"
            };
            println!(
                "{word}: {lines} lines, {first} to {last}; {plans} plans are as they were noted"
            );
        }
    }
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::Error
    })
}
