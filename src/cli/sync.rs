//! `rosterd sync`: one run.

use crate::answers;
use crate::app;
use crate::config::Loaded;
use crate::plan::report::Format;
use crate::plan::{Asked, Plan, SourceStatus, Status};
use crate::sync::Intent;

use super::progress::progress;
use super::{Exit, Output, plan};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub ask: Ask,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

/// What a run is asked to look at.
#[derive(clap::Args)]
pub struct Ask {
    /// Only this source; may be given several times.
    #[arg(long = "source", value_name = "S")]
    sources: Vec<String>,
    /// Read everything, not only what changed.
    #[arg(long)]
    full: bool,
    /// Only this user, by key or id, at once; may be given several times.
    #[arg(long = "user", value_name = "KEY", conflicts_with = "full")]
    users: Vec<String>,
    /// Only this group and its members, at once; may be given several times.
    #[arg(long = "group", value_name = "NAME", conflicts_with = "full")]
    groups: Vec<String>,
}

impl Ask {
    pub fn asked(self, loaded: &Loaded) -> Result<Asked, super::Usage> {
        let Ask {
            sources,
            full,
            users,
            groups,
        } = self;
        for source in &sources {
            known_source(loaded, source)?;
        }
        Ok(Asked {
            sources,
            full,
            users,
            groups,
        })
    }
}

/// A source that the settings know, or an error that says which they know.
pub fn known_source(loaded: &Loaded, name: &str) -> Result<(), super::Usage> {
    known(
        "source",
        loaded.settings.sources.keys().map(|name| name.as_str()),
        name,
    )
}

/// A portal that the settings know, or an error that says which they know.
pub fn known_portal(loaded: &Loaded, name: &str) -> Result<(), super::Usage> {
    known(
        "portal",
        loaded.settings.portals.keys().map(|name| name.as_str()),
        name,
    )
}

fn known<'a>(
    what: &str,
    names: impl Iterator<Item = &'a str>,
    name: &str,
) -> Result<(), super::Usage> {
    answers::known(what, names, name).map_err(|error| super::Usage(error.to_string()))
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let asked = args.ask.asked(loaded)?;
    let format = match args.format {
        Output::Text => Format::Text,
        Output::Json => Format::Json,
    };
    let app = app::open(loaded)?;
    let intent = if args.dry_run {
        Intent::Preview
    } else {
        Intent::Apply
    };
    let run = app.run(asked, intent, progress()).await?;
    plan::print(&run.plan, format)?;
    Ok(exit_of(&run.plan))
}

/// The exit code that a plan stands for: held goes before partly failed.
pub fn exit_of(plan: &Plan) -> Exit {
    let failed = |status: SourceStatus| status == SourceStatus::Failed;
    let sources = &plan.head.sources;
    let all = !sources.is_empty() && sources.values().all(|source| failed(source.status));
    let some = sources.values().any(|source| failed(source.status));
    match plan.head.status {
        Status::Held => Exit::Held,
        Status::Failed => Exit::Error,
        _ if all => Exit::Error,
        Status::PartlyApplied => Exit::Partly,
        _ if some => Exit::Partly,
        // No run ends as discarded; one that was is looked at like any other.
        Status::Planned | Status::Applied | Status::Discarded => Exit::Done,
    }
}
