//! `rosterd device`: an MDM portal's devices on a local target.

use serde_json::json;

use crate::app;
use crate::config::{Loaded, PortalKind};
use crate::directory::fold::fold;
use crate::store::Store;
use crate::store::portals::LocalDevice;
use crate::targets::local::Local;

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

/// The store, for an MDM portal of the settings.
pub fn open_mdm(loaded: &Loaded, portal: &str) -> anyhow::Result<Store> {
    known_portal(loaded, portal)?;
    if loaded.settings.portals[portal].kind != PortalKind::Mdm {
        let kind = loaded.settings.portals[portal].kind;
        return Err(Usage(format!(
            "portal '{portal}' is a {kind}; only an mdm portal has devices and policies"
        ))
        .into());
    }
    Ok(app::open_store(loaded)?.store)
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
            let store = open_mdm(loaded, &portal)?;
            let mut device = store.device(&portal, &id)?.unwrap_or_else(|| LocalDevice {
                id: id.clone(),
                name: id.clone(),
                assigned_to: None,
                policy: None,
            });
            if let Some(name) = name {
                device.name = name;
            }
            if let Some(key) = assigned_to.map(|key| fold(&key)) {
                if !key.is_empty() && store.local_account(&portal, &key)?.is_none() {
                    anyhow::bail!(
                        "portal '{portal}' has no account '{key}' to assign a device to; 'rosterd export accounts --portal {portal}' lists them"
                    );
                }
                device.assigned_to = Some(key).filter(|key| !key.is_empty());
            }
            if let Some(policy) = policy {
                let known = store.policies(&portal)?.contains(&policy)
                    || loaded.settings.portals[portal.as_str()].policy.as_deref() == Some(&policy);
                if !policy.is_empty() && !known {
                    anyhow::bail!(
                        "portal '{portal}' has no policy '{policy}'; make it with 'rosterd policy set {policy} --portal {portal}'"
                    );
                }
                device.policy = Some(policy).filter(|policy| !policy.is_empty());
            }
            Local::new(store).set_device(&portal, &device)?;
        }
        Args::Remove { id, portal } => {
            let store = open_mdm(loaded, &portal)?;
            if !Local::new(store).remove_device(&portal, &id)? {
                anyhow::bail!("portal '{portal}' has no device '{id}'");
            }
        }
        Args::List { portal, format } => {
            let store = open_mdm(loaded, &portal)?;
            print(&store, &portal, format)?;
        }
    }
    Ok(Exit::Done)
}

/// Prints a portal's devices: for this command and for `export devices`.
pub fn print(store: &Store, portal: &str, format: Output) -> anyhow::Result<()> {
    let devices: Vec<LocalDevice> = store.devices(portal).collect::<Result<_, _>>()?;
    match format {
        Output::Json => {
            let devices: Vec<_> = devices
                .iter()
                .map(|device| {
                    json!({
                        "id": device.id,
                        "name": device.name,
                        "assigned_to": device.assigned_to,
                        "policy": device.policy,
                    })
                })
                .collect();
            println!("{:#}", json!(devices));
        }
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
