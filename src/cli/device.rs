//! `rosterd device`: an MDM portal's devices on a local target.

use crate::answers::devices::{DeviceChange, DeviceOut, Mdm};
use crate::app;
use crate::config::Loaded;
use crate::store::Store;

use super::sync::known_portal;
use super::{Exit, Output, Usage, table};

#[derive(clap::Subcommand)]
pub enum Args {
    /// Makes a device, or changes what is given of it.
    Set {
        id: String,
        #[arg(long)]
        portal: String,
        #[arg(long)]
        name: Option<String>,
        /// The account's key; empty to unassign.
        #[arg(long, value_name = "KEY")]
        assigned_to: Option<String>,
        #[arg(long)]
        policy: Option<String>,
    },
    /// Removes a device.
    Remove {
        id: String,
        #[arg(long)]
        portal: String,
    },
    /// Lists devices.
    List {
        #[arg(long)]
        portal: String,
        #[arg(long, value_enum, default_value_t)]
        format: Output,
    },
}

/// An MDM portal of the settings.
pub fn mdm<'a>(loaded: &'a Loaded, store: &'a Store, portal: &str) -> anyhow::Result<Mdm<'a>> {
    known_portal(loaded, portal)?;
    let portal = &loaded.settings.portals[portal];
    let named = portal.policy.as_deref();
    Mdm::new(store, portal.name.as_str(), portal.kind, named)
        .map_err(|error| Usage(error.to_string()).into())
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    let store = app::open_store(loaded)?.store;
    match args {
        Args::Set {
            id,
            portal,
            name,
            assigned_to,
            policy,
        } => {
            let change = DeviceChange {
                name,
                assigned_to,
                policy,
            };
            mdm(loaded, &store, &portal)?.set_device(&id, change)?;
        }
        Args::Remove { id, portal } => mdm(loaded, &store, &portal)?.remove_device(&id)?,
        Args::List { portal, format } => print(&mdm(loaded, &store, &portal)?, format)?,
    }
    Ok(Exit::Done)
}

/// Prints a portal's devices: for this command and for `export devices`.
pub fn print(mdm: &Mdm<'_>, format: Output) -> anyhow::Result<()> {
    let devices: Vec<DeviceOut> = mdm.devices(None).collect::<Result<_, _>>()?;
    match format {
        Output::Json => println!("{}", serde_json::to_string_pretty(&devices)?),
        Output::Text => {
            let rows: Vec<Vec<String>> = devices
                .into_iter()
                .map(|device| {
                    vec![
                        device.id,
                        device.name,
                        device.assigned_to.unwrap_or_default(),
                        device.policy.unwrap_or_default(),
                    ]
                })
                .collect();
            table::print(&["id", "name", "assigned to", "policy"], &rows);
        }
    }
    Ok(())
}
