//! `rosterd device`: an MDM portal's devices on a local target.

use crate::answers::devices::{Change, DeviceChange, DeviceOut, Mdm, Noting};
use crate::app::{self, Opened};
use crate::clock;
use crate::config::Loaded;
use crate::store::{Store, Way};

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

/// Makes a change; where a daemon holds the store, through it.
pub fn change(loaded: &Loaded, portal: String, change: Change) -> anyhow::Result<()> {
    let Opened { store, daemon } = app::open_store(loaded)?;
    let mdm = mdm(loaded, &store, &portal)?;
    if let Some(daemon) = daemon {
        return Ok(daemon.change_device(portal.clone(), change)?);
    }
    let noting = Noting {
        log: &app::audit_of(&loaded.settings),
        by: Way::Command,
        at: clock::now(),
    };
    mdm.change(change, &noting)?;
    Ok(())
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
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
            self::change(loaded, portal, Change::SetDevice { id, change })?;
        }
        Args::Remove { id, portal } => change(loaded, portal, Change::RemoveDevice { id })?,
        Args::List { portal, format } => {
            let store = app::open_store(loaded)?.store;
            print(&mdm(loaded, &store, &portal)?, format)?;
        }
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
