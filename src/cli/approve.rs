//! `rosterd approve`: releases a held run, exactly as shown and once.

use anyhow::bail;

use crate::answers::approval;
use crate::app;
use crate::config::Loaded;
use crate::plan::report::Format;
use crate::sync::Intent;

use super::apply::show_moved;
use super::progress::progress;
use super::sync::exit_of;
use super::{Exit, Output, plan};

#[derive(clap::Args)]
pub struct Args {
    /// The id of the held run.
    run: String,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let app = app::open(loaded)?;
    let record = approval::waiting(app.store(), &args.run)?;
    // Only needed to say what moved; what is approved is told by the digest.
    let shown = app.history().read(&args.run)?;
    let intent = Intent::Approve {
        run: args.run.clone(),
        digest: record.head.digest.clone(),
    };
    let run = app.run(record.head.asked, intent, progress()).await?;
    let format = if args.format == Output::Json {
        Format::Json
    } else {
        Format::Text
    };
    if run.moved {
        plan::print(&run.plan, format)?;
        if let Some(shown) = shown {
            let shown: Vec<_> = shown.actions().collect::<Result<_, _>>()?;
            show_moved(&shown, &run.plan)?;
        }
        bail!(
            "nothing was applied: the plan comes out otherwise than the held one; look at the new one, then sync again"
        );
    }
    plan::print(&run.plan, format)?;
    Ok(exit_of(&run.plan))
}
