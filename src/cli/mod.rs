//! What an operator can type: one file a command. A command reads the settings, opens what it
//! needs, does one thing and prints it; what is more than that has a room of its own.

mod apply;
mod approve;
mod audit;
mod backup;
mod check;
mod config;
mod device;
mod discard;
mod drift;
mod events;
mod explain;
mod export;
mod plan;
mod policy;
mod progress;
mod run;
mod runs;
mod scim;
mod status;
mod sync;
mod table;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::{Loaded, SecretError, SettingsErrors, WebhookError};
use crate::targets::events::ReceiverError;
use crate::telemetry;

/// The argument that names them.
const SETTINGS_FILES: &str = "config";

/// What a command ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Error = 1,
    Settings = 2,
    Partly = 3,
    Held = 4,
    Changes = 5,
}

/// Keeps the people of an application's portals in step with Entra ID and Okta.
#[derive(Parser)]
#[command(name = "rosterd", version, max_term_width = 100)]
struct Cli {
    /// Settings file; may be given several times, a later one goes before an earlier one.
    // Not a global of the parser's, which forgets those before the command for those after it.
    #[arg(short, long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// How much to log on stderr: error, warn, info, debug or trace.
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<crate::config::LogLevel>,
    /// The form of the log.
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<crate::config::LogFormat>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The daemon: runs when they are due, and until it is told to stop.
    Run,
    /// One run: fetch, diff, decide, review, remember, apply.
    Sync(sync::Args),
    /// The dry-run report: what a sync would do, and why.
    Plan(plan::Args),
    /// Executes a saved plan, if nothing has moved since.
    Apply(apply::Args),
    /// Releases a held run, exactly as it was shown.
    Approve(approve::Args),
    /// Discards a held run, so that it can be approved no longer.
    Discard(discard::Args),
    /// What the targets hold against what was last applied, per attribute.
    Drift(drift::Args),
    /// Tests the settings and every connection.
    Check(check::Args),
    /// Why a user has or has not an account and a role.
    Explain(explain::Args),
    /// Sources, marks and held runs.
    Status(status::Args),
    /// The history; one run with its plan and outcomes.
    Runs(runs::Args),
    /// What the directory or a portal holds.
    Export(export::Args),
    /// An MDM portal's devices on a local target.
    #[command(subcommand)]
    Device(device::Args),
    /// An MDM portal's policies on a local target.
    #[command(subcommand)]
    Policy(policy::Args),
    /// Bearer tokens of SCIM sources.
    #[command(subcommand)]
    Token(token::Args),
    /// What SCIM clients sent.
    #[command(subcommand)]
    Scim(scim::Args),
    /// Events of a target of kind events.
    #[command(subcommand)]
    Events(events::Args),
    /// Writes the whole store to a file.
    Backup(backup::Args),
    /// Reads a backup into an empty store.
    Restore(backup::Args),
    /// The log of what was changed.
    #[command(subcommand)]
    Audit(audit::Args),
    /// The effective settings.
    #[command(subcommand)]
    Config(config::Args),
    /// A completion script for a shell.
    Completions { shell: clap_complete::Shell },
    /// The manual page, in roff.
    Man,
}

/// How data is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
}

/// Runs the command that was typed.
pub async fn run() -> ExitCode {
    let typed = command().try_get_matches().and_then(|typed| {
        let mut cli = Cli::from_arg_matches(&typed)?;
        cli.config = settings_files(&typed);
        Ok(cli)
    });
    let cli = match typed {
        Ok(cli) => cli,
        Err(error) => {
            let wrong = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if wrong {
                Exit::Settings as u8
            } else {
                Exit::Done as u8
            });
        }
    };
    match &cli.command {
        Command::Completions { shell } => {
            let mut command = command();
            clap_complete::generate(*shell, &mut command, "rosterd", &mut std::io::stdout());
            return ExitCode::SUCCESS;
        }
        Command::Man => {
            let page = clap_mangen::Man::new(command()).render(&mut std::io::stdout());
            return ExitCode::from(u8::from(page.is_err()));
        }
        _ => {}
    }
    let loaded = match crate::config::load(&cli.config) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(Exit::Settings as u8);
        }
    };
    let log = &loaded.settings.log;
    let telemetry = telemetry::start(
        cli.log.unwrap_or(log.level),
        cli.log_format.unwrap_or(log.format),
        log.traces.as_ref(),
    );
    let telemetry = match telemetry {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("rosterd: {error}");
            return ExitCode::from(Exit::Settings as u8);
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let ended = dispatch(cli.command, &loaded, cli.config).await;
    telemetry.end().await;
    match ended {
        Ok(exit) => ExitCode::from(exit as u8),
        // Who reads only the head of a report has what they wanted.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            let settings = error.downcast_ref::<SettingsErrors>().is_some()
                || error.chain().any(|cause| {
                    cause.is::<SecretError>()
                        || cause.is::<WebhookError>()
                        || cause.is::<ReceiverError>()
                })
                || error.is::<Usage>();
            ExitCode::from(if settings {
                Exit::Settings as u8
            } else {
                Exit::Error as u8
            })
        }
    }
}

/// The command line: every command takes settings files, as rosterd itself does.
fn command() -> clap::Command {
    fn with_files(command: clap::Command, files: &clap::Arg) -> clap::Command {
        command.mut_subcommands(|command| with_files(command, files).arg(files))
    }
    let command = Cli::command();
    let files = command
        .get_arguments()
        .find(|argument| argument.get_id() == SETTINGS_FILES)
        .expect("it is a field of Cli")
        .clone();
    with_files(command, &files)
}

/// The settings files in the order in which they were typed, before the command and after it.
fn settings_files(typed: &ArgMatches) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = typed
        .get_many(SETTINGS_FILES)
        .unwrap_or_default()
        .cloned()
        .collect();
    if let Some((_, command)) = typed.subcommand() {
        files.extend(settings_files(command));
    }
    files
}

async fn dispatch(command: Command, loaded: &Loaded, files: Vec<PathBuf>) -> anyhow::Result<Exit> {
    match command {
        Command::Run => run::run(loaded, files).await,
        Command::Sync(args) => sync::run(args, loaded).await,
        Command::Plan(args) => plan::run(args, loaded).await,
        Command::Apply(args) => apply::run(args, loaded).await,
        Command::Approve(args) => approve::run(args, loaded).await,
        Command::Discard(args) => discard::run(&args, loaded),
        Command::Drift(args) => drift::run(args, loaded).await,
        Command::Check(args) => check::run(args, loaded).await,
        Command::Explain(args) => explain::run(args, loaded),
        Command::Status(args) => status::run(args, loaded),
        Command::Runs(args) => runs::run(args, loaded),
        Command::Export(args) => export::run(args, loaded).await,
        Command::Device(args) => device::run(args, loaded),
        Command::Policy(args) => policy::run(args, loaded),
        Command::Token(args) => token::run(args, loaded),
        Command::Scim(args) => scim::run(&args, loaded),
        Command::Events(args) => events::run(args, loaded).await,
        Command::Backup(args) => backup::backup(&args, loaded),
        Command::Restore(args) => backup::restore(&args, loaded),
        Command::Audit(args) => audit::run(&args, loaded),
        Command::Config(args) => config::run(&args, loaded),
        Command::Completions { .. } | Command::Man => Ok(Exit::Done),
    }
}

/// An error in what was typed or set: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// One line that says what failed, where, and what to do. Its causes follow at `debug`, but
/// for the innermost: a wrapper that only says what was being done needs it to be useful.
fn print_error(error: &anyhow::Error) {
    let mut line = error.to_string();
    if let Some(root) = error.chain().skip(1).last() {
        let root = root.to_string();
        if !line.contains(&root) {
            line = format!("{line}: {root}");
        }
    }
    eprintln!("rosterd: {}", line.replace('\n', " "));
    for cause in error.chain().skip(1) {
        tracing::debug!("because: {cause}");
    }
}
