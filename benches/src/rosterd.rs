//! How rosterd is started against the simulator.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Vendor;
use crate::sim::Simulator;

/// The program, its settings and a state of its own.
pub struct Rosterd<'a> {
    pub bin: &'a Path,
    /// The directory of the settings files.
    pub settings: &'a Path,
    pub sources: &'a [Vendor],
    /// One more settings file.
    pub also: Option<&'a str>,
    pub state: PathBuf,
}

impl Rosterd<'_> {
    pub fn command(&self, sim: &Simulator, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.bin.join("rosterd"));
        let mut file = |name: &str| {
            command.arg("-c").arg(self.settings.join(name));
        };
        file("portals.toml");
        for source in self.sources {
            match source {
                Vendor::Graph => file("graph.toml"),
                Vendor::Okta => file("okta.toml"),
            }
        }
        if let Some(also) = self.also {
            file(also);
        }
        for source in self.sources {
            match source {
                Vendor::Graph => command
                    .env("ROSTERD__SOURCES__ENTRA__ENDPOINT", sim.address("base"))
                    .env(
                        "ROSTERD__SOURCES__ENTRA__AUTHORITY",
                        sim.address("authority"),
                    )
                    .env("BENCH_ENTRA_SECRET", sim.address("client_secret")),
                Vendor::Okta => command
                    .env("ROSTERD__SOURCES__OKTA__ORG_URL", sim.address("okta"))
                    .env("BENCH_OKTA_TOKEN", sim.address("okta_token")),
            };
        }
        command
            .env("ROSTERD__STATE__PATH", &self.state)
            .args(["--log", "error"])
            .args(arguments);
        command
    }
}
