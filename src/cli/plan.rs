//! `rosterd plan`: the dry-run report.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;

use crate::app;
use crate::config::Loaded;
use crate::plan::Plan;
use crate::plan::report::{self, Format, Style};
use crate::sync::Intent;

use super::Exit;
use super::progress::progress;
use super::sync::{Ask, exit_of};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// Save the plan, for `rosterd apply`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Exit with 5 where there is something to do.
    #[arg(long)]
    detailed_exitcode: bool,
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let asked = args.ask.asked(loaded)?;
    let app = app::open(loaded)?;
    let run = app.run(asked, Intent::Preview, progress()).await?;
    if let Some(file) = &args.out {
        save(&run.plan, file)?;
    }
    print(&run.plan, args.format)?;
    Ok(match exit_of(&run.plan) {
        Exit::Done if args.detailed_exitcode && run.plan.action_count() > 0 => Exit::Changes,
        exit => exit,
    })
}

/// Writes beside the file and renames: a half-written plan never looks like a plan.
fn save(plan: &Plan, file: &std::path::Path) -> anyhow::Result<()> {
    let failed = || format!("the plan cannot be saved as {}", file.display());
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => std::path::Path::new("."),
    };
    let mut saved = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    report::write(
        plan,
        Format::Json,
        Style::Plain,
        &mut BufWriter::new(&mut saved),
    )
    .with_context(failed)?;
    saved.persist(file).with_context(failed)?;
    Ok(())
}

/// Prints a report on stdout, coloured where that is a terminal.
pub fn print(plan: &Plan, format: Format) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let style = if coloured {
        Style::Coloured
    } else {
        Style::Plain
    };
    let mut out = BufWriter::new(stdout.lock());
    report::write(plan, format, style, &mut out)?;
    out.flush().context("the report could not be written")?;
    Ok(())
}
