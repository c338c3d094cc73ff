//! `rosterd check`: the settings, then every connection, one line each.

use serde_json::json;

use crate::app;
use crate::config::Loaded;

use super::{Exit, Output};

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let app = app::open(loaded)?;
    let mut lines: Vec<(String, bool, String)> = vec![(
        "settings".to_owned(),
        true,
        "can be read, and fit together".to_owned(),
    )];
    for (about, finding) in app.check().await? {
        lines.push((about, finding.ok, finding.text));
    }
    let ok = lines.iter().all(|(_, ok, _)| *ok);
    match args.format {
        Output::Text => {
            for (about, ok, text) in &lines {
                println!("{}  {about}: {text}", if *ok { "ok  " } else { "FAIL" });
            }
        }
        Output::Json => {
            let findings: Vec<_> = lines
                .iter()
                .map(|(about, ok, text)| json!({ "about": about, "ok": ok, "text": text }))
                .collect();
            println!("{:#}", json!({ "ok": ok, "findings": findings }));
        }
    }
    Ok(if ok { Exit::Done } else { Exit::Error })
}
