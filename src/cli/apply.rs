//! `rosterd apply`: executes a saved plan, if the directory has not moved since.

use std::path::PathBuf;

use anyhow::Context;

use crate::app;
use crate::config::Loaded;
use crate::plan::report::{Format, json};
use crate::plan::{Action, Plan};
use crate::sync::Intent;

use super::progress::progress;
use super::sync::exit_of;
use super::{Exit, Output, plan};

#[derive(clap::Args)]
pub struct Args {
    /// A plan saved by `rosterd plan --out`.
    file: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let file = std::fs::File::open(&args.file)
        .with_context(|| format!("the plan {} cannot be read", args.file.display()))?;
    let saved = json::read_actions(std::io::BufReader::new(file))
        .with_context(|| format!("{} is not a saved plan", args.file.display()))?;
    let app = app::open(loaded)?;
    let intent = Intent::Exactly {
        digest: saved.digest.clone(),
    };
    let run = app.run(saved.asked.clone(), intent, progress()).await?;
    if run.moved {
        let shown: Vec<Action> = saved.actions().collect::<Result<_, _>>()?;
        show_moved(&shown, &run.plan)?;
        anyhow::bail!(
            "nothing was applied: the plan comes out otherwise than it was saved; make a new one with 'rosterd plan --out'"
        );
    }
    let format = if args.format == Output::Json {
        Format::Json
    } else {
        Format::Text
    };
    plan::print(&run.plan, format)?;
    Ok(exit_of(&run.plan))
}

/// Says on stderr which actions are no longer asked for, and which are new.
pub fn show_moved(shown: &[Action], now: &Plan) -> anyhow::Result<()> {
    let mut new = Vec::new();
    let mut left: Vec<&Action> = shown.iter().collect();
    for action in now.actions() {
        let action = action?;
        match left.iter().position(|shown| same(shown, &action)) {
            Some(place) => {
                left.swap_remove(place);
            }
            None => new.push(action),
        }
    }
    for action in left {
        eprintln!(
            "no longer: {} {} {}",
            action.portal,
            action.op.as_str(),
            action.key
        );
    }
    for action in &new {
        eprintln!(
            "new: {} {} {}",
            action.portal,
            action.op.as_str(),
            action.key
        );
    }
    Ok(())
}

/// The same to whom it is shown; what an action carries beside that follows from it.
fn same(a: &Action, b: &Action) -> bool {
    a.portal == b.portal
        && a.op == b.op
        && a.key == b.key
        && a.subject == b.subject
        && a.changes == b.changes
        && a.reason == b.reason
        && a.members == b.members
        && a.device == b.device
}
