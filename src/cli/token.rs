//! `rosterd token`: the bearer tokens of SCIM sources.

use std::time::Duration;

use crate::answers::tokens::{NewToken, Tokens};
use crate::app;
use crate::clock;
use crate::config::{Loaded, SourceKind, duration};

use super::sync::known_source;
use super::{Exit, Output, Usage, table};

#[derive(clap::Args)]
pub struct Of {
    /// The SCIM source.
    #[arg(long, value_name = "SOURCE")]
    source: String,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

#[derive(clap::Subcommand)]
pub enum Args {
    /// Makes a token, and shows it once.
    Create {
        #[command(flatten)]
        of: Of,
        /// How long it is good; for good if this is not given.
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        expires: Option<Duration>,
    },
    /// Makes a token in place of those there are.
    Rotate {
        #[command(flatten)]
        of: Of,
        /// How long the old ones go on.
        #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "24h")]
        overlap: Duration,
        /// How long the new one is good; for good if this is not given.
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        expires: Option<Duration>,
    },
    /// Takes a token back, or all of them, at once.
    Revoke {
        #[command(flatten)]
        of: Of,
        /// The token's id, as `list` shows it.
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All tokens of the source.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Lists tokens by their ids.
    List {
        #[command(flatten)]
        of: Of,
    },
}

/// Refuses a source to which nobody pushes.
pub fn pushed(loaded: &Loaded, name: &str) -> anyhow::Result<()> {
    known_source(loaded, name)?;
    let source = loaded
        .settings
        .sources
        .iter()
        .find(|(known, _)| known.as_str() == name);
    match source.map(|(_, source)| &source.kind) {
        Some(SourceKind::Scim(_)) => Ok(()),
        _ => Err(Usage(format!(
            "source '{name}' is pulled; only a source of kind \"scim\" is pushed to"
        ))
        .into()),
    }
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let (Args::Create { of, .. }
    | Args::Rotate { of, .. }
    | Args::Revoke { of, .. }
    | Args::List { of }) = &args;
    pushed(loaded, &of.source)?;
    let opened = app::open_store(loaded)?;
    let tokens = Tokens {
        store: &opened.store,
        source: &of.source,
        base_url: loaded.settings.server.scim_base(&of.source),
        now: clock::now(),
    };
    let format = of.format;
    match &args {
        Args::Create { expires, .. } => print(&tokens.create(*expires)?, format)?,
        Args::Rotate {
            overlap, expires, ..
        } => print(&tokens.rotate(*overlap, *expires)?, format)?,
        Args::Revoke { id, .. } => {
            let gone = tokens.revoke(id.as_deref())?;
            match format {
                Output::Json => println!("{}", serde_json::json!({ "revoked": gone })),
                Output::Text => println!("revoked: {gone}"),
            }
        }
        Args::List { .. } => list(&tokens, format)?,
    }
    Ok(Exit::Done)
}

fn print(token: &NewToken, format: Output) -> anyhow::Result<()> {
    match format {
        Output::Json => println!("{}", serde_json::to_string_pretty(token)?),
        Output::Text => {
            println!("Base URL: {}", token.base_url);
            println!("Token:    {}", token.token);
            match token.expires_at {
                Some(at) => println!("Expires:  {at}"),
                None => println!("Expires:  never"),
            }
            println!("The token is not shown again; only a hash of it is kept.");
        }
    }
    Ok(())
}

fn list(tokens: &Tokens<'_>, format: Output) -> anyhow::Result<()> {
    let all = tokens.list()?;
    match format {
        Output::Json => println!("{}", serde_json::to_string_pretty(&all)?),
        Output::Text => {
            let time = |at: Option<jiff::Timestamp>, none: &str| {
                at.map_or_else(|| none.to_owned(), |at| at.to_string())
            };
            let rows: Vec<Vec<String>> = all
                .into_iter()
                .map(|token| {
                    let expires = time(token.expires_at, "never");
                    vec![
                        token.id,
                        token.created_at.to_string(),
                        time(token.last_used_at, "never"),
                        match token.expired {
                            true => format!("{expires} (expired)"),
                            false => expires,
                        },
                    ]
                })
                .collect();
            table::print(&["id", "created", "last used", "expires"], &rows);
        }
    }
    Ok(())
}
