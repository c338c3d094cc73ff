//! A pretend company, a settings file, a state directory, and rosterd between them.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rosterd_sim::{Sim, SimHandle, SimOptions};
use serde_json::{Value, json};

use crate::oracle::Oracle;
use crate::settings::Settings;

/// What no output may ever hold.
pub const SECRETS: [&str; 4] = [
    "sim-secret",
    "sim-okta-token",
    "sim-applivery-token",
    "sim-scim-token",
];

pub struct World {
    pub sim: SimHandle,
    pub settings: Settings,
    pub home: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn from(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        let said = Said {
            // A signal counts below zero.
            code: output.status.code().unwrap_or_else(|| {
                -output
                    .status
                    .signal()
                    .expect("it ended with a code or by a signal")
            }),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        for secret in SECRETS {
            assert!(!said.out.contains(secret), "a secret on stdout: {said:?}");
            assert!(!said.err.contains(secret), "a secret on stderr: {said:?}");
        }
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Said {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.out) {
            Ok(value) => value,
            Err(error) => panic!("{error}: out: {}\nerr: {}", self.out, self.err),
        }
    }
}

impl World {
    pub fn new(options: SimOptions, settings: Settings) -> World {
        let world = World {
            sim: Sim::start(options).expect("a port is free"),
            settings,
            home: tempfile::tempdir().expect("a temporary directory"),
        };
        world.rewrite();
        world
    }

    /// Twenty people in each company.
    pub fn small(settings: Settings) -> World {
        World::new(SimOptions::default(), settings)
    }

    pub fn config(&self) -> PathBuf {
        self.home.path().join("rosterd.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Writes the settings as they are now.
    pub fn rewrite(&self) {
        let text = self.settings.toml(&self.state(), &self.sim.base_url());
        std::fs::write(self.config(), text).expect("the settings can be written");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        command(&self.config(), arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        Said::from(self.command(arguments).output().expect("rosterd starts"))
    }

    /// A run of which everything succeeds.
    #[track_caller]
    pub fn sync(&self, arguments: &[&str]) -> Value {
        let arguments = [&["sync", "--format", "json"], arguments].concat();
        let plan = self.run(&arguments).ends_with(0).json();
        assert_eq!(plan["status"], "applied", "{plan:#}");
        plan
    }

    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).ends_with(0).json()
    }

    #[track_caller]
    pub fn accounts(&self, portal: &str) -> Value {
        self.json(&["export", "accounts", "--portal", portal])
    }

    #[track_caller]
    pub fn account(&self, portal: &str, key: &str) -> Option<Value> {
        let all = self.accounts(portal);
        let all = all.as_array().expect("a list").iter();
        all.clone().find(|account| account["key"] == key).cloned()
    }

    #[track_caller]
    pub fn groups(&self, portal: &str) -> Value {
        self.json(&["export", "groups", "--portal", portal])
    }

    /// Everything that can be exported, as linked and as the target has it.
    #[track_caller]
    pub fn exports(&self) -> Value {
        let mut all = serde_json::Map::new();
        for source in &self.settings.sources {
            for what in ["users", "groups"] {
                let rows = self.json(&["export", what, "--source", source.name]);
                all.insert(format!("{} {what}", source.name), rows);
            }
        }
        for portal in &self.settings.portals {
            for what in ["accounts", "groups"] {
                let linked = ["export", what, "--portal", &portal.name];
                let rows = self.json(&linked);
                let there = self.json(&[&linked[..], &["--from-target"]].concat());
                assert_eq!(rows, there, "{what} of {} in the target", portal.name);
                all.insert(format!("{} {what}", portal.name), rows);
            }
            if portal.kind == "mdm" {
                let rows = self.json(&["export", "devices", "--portal", &portal.name]);
                all.insert(format!("{} devices", portal.name), rows);
            }
        }
        Value::Object(all)
    }

    /// Runs that must find nothing to do: an incremental one, and a full one.
    #[track_caller]
    pub fn quiet(&self) {
        for arguments in [&[][..], &["--full"]] {
            let plan = self.sync(arguments);
            assert_eq!(plan["actions"], json!([]), "after {arguments:?}");
        }
    }

    /// One run, what it must lead to, and that nothing is left to do.
    #[track_caller]
    pub fn settles(&self, oracle: &mut Oracle) -> Value {
        let plan = self.sync(&[]);
        oracle.turn(&self.settings, &self.sim);
        oracle.agrees_after(self, &plan);
        self.quiet();
        plan
    }

    // --- the companies ---------------------------------------------------------------------

    #[track_caller]
    pub fn control(&self, method: &str, path: &str, body: Value) -> Value {
        match self.sim.control(method, &format!("/sim/{path}"), body) {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// The id of the Graph user at a position.
    pub fn entra_user(&self, position: usize) -> String {
        id_at(&self.sim.graph_truth()["users"], position)
    }

    pub fn okta_user(&self, position: usize) -> String {
        id_at(&self.sim.okta_truth()["users"], position)
    }

    /// The id of the first Graph group of that name.
    #[track_caller]
    pub fn entra_group(&self, name: &str) -> String {
        let truth = self.sim.graph_truth();
        let groups = truth["groups"].as_array().expect("a list");
        let group = groups.iter().find(|group| group["displayName"] == name);
        text(&group.expect("a group of that name")["id"])
    }

    #[track_caller]
    pub fn okta_group(&self, name: &str) -> String {
        let truth = self.sim.okta_truth();
        let groups = truth["groups"].as_array().expect("a list");
        let group = groups.iter().find(|group| group["profile"]["name"] == name);
        text(&group.expect("a group of that name")["id"])
    }
}

fn id_at(users: &Value, position: usize) -> String {
    text(&users[position]["id"])
}

pub fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// rosterd with one settings file, and nothing of this machine's environment.
pub fn command(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command
        .arg("-c")
        .arg(config)
        .args(arguments)
        .env_clear()
        .env("SIM_SECRET", "sim-secret")
        .env("SIM_OKTA_TOKEN", "sim-okta-token")
        .env("SIM_APPLIVERY_TOKEN", "sim-applivery-token")
        .stdin(Stdio::null());
    command
}

/// What the actions of a plan are, one line each.
pub fn deeds(plan: &Value) -> Vec<String> {
    let actions = plan["actions"].as_array().expect("a plan has actions");
    actions
        .iter()
        .map(|action| {
            format!(
                "{} {} {}",
                text(&action["portal"]),
                text(&action["op"]),
                text(&action["key"])
            )
        })
        .collect()
}
