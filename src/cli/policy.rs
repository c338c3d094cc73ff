//! `rosterd policy`: an MDM portal's policies on a local target.

use serde_json::json;

use crate::config::Loaded;
use crate::targets::local::Local;

use super::device::open_mdm;
use super::{Exit, Output, table};

#[derive(clap::Subcommand)]
pub enum Args {
    /// Makes a policy.
    Set {
        name: String,
        #[arg(long)]
        portal: String,
    },
    /// Removes a policy that no device is under.
    Remove {
        name: String,
        #[arg(long)]
        portal: String,
    },
    /// Lists policies.
    List {
        #[arg(long)]
        portal: String,
        #[arg(long, value_enum, default_value_t)]
        format: Output,
    },
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    match args {
        Args::Set { name, portal } => {
            let store = open_mdm(loaded, &portal)?;
            Local::new(store).set_policy(&portal, &name)?;
        }
        Args::Remove { name, portal } => {
            let store = open_mdm(loaded, &portal)?;
            for device in store.devices(&portal) {
                let device = device?;
                if device.policy.as_deref() == Some(&name) {
                    anyhow::bail!(
                        "device '{}' is under policy '{name}'; move it first",
                        device.id
                    );
                }
            }
            if loaded.settings.portals[portal.as_str()].policy.as_deref() == Some(&name) {
                anyhow::bail!(
                    "the settings of portal '{portal}' name policy '{name}'; change them first"
                );
            }
            if !Local::new(store).remove_policy(&portal, &name)? {
                anyhow::bail!("portal '{portal}' has no policy '{name}'");
            }
        }
        Args::List { portal, format } => {
            let store = open_mdm(loaded, &portal)?;
            let mut policies = store.policies(&portal)?;
            policies.extend(loaded.settings.portals[portal.as_str()].policy.clone());
            match format {
                Output::Json => {
                    let policies: Vec<_> = policies
                        .iter()
                        .map(|name| json!({ "name": name }))
                        .collect();
                    println!("{:#}", json!(policies));
                }
                Output::Text => {
                    let rows: Vec<Vec<String>> =
                        policies.into_iter().map(|name| vec![name]).collect();
                    table::print(&["policy"], &rows);
                }
            }
        }
    }
    Ok(Exit::Done)
}
