//! What is measured, and in which order.
//!
//! A tenant is served once. First the floor and the first full run, with no latency and with
//! some, each run into an empty state; then, into the last of these states, runs where nothing
//! has changed and runs after a hundred changes. Every row is the median of its runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::rosterd::Rosterd;
use crate::sim::{Simulator, Size};
use crate::table::{Row, Sample, print};
use crate::{Run, Vendor, child};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Tenant {
    #[value(name = "graph-1k")]
    Graph1k,
    #[value(name = "graph-10k")]
    Graph10k,
    #[value(name = "graph-100k")]
    Graph100k,
    #[value(name = "graph-1m")]
    Graph1m,
    #[value(name = "okta-1k")]
    Okta1k,
    #[value(name = "okta-10k")]
    Okta10k,
}

/// Runs where nothing has changed, whose memory is compared.
const QUIET_RUNS: usize = 10;

impl Tenant {
    fn vendor(self) -> Vendor {
        match self {
            Tenant::Graph1k | Tenant::Graph10k | Tenant::Graph100k | Tenant::Graph1m => {
                Vendor::Graph
            }
            Tenant::Okta1k | Tenant::Okta10k => Vendor::Okta,
        }
    }

    fn size(self) -> Size {
        let (users, groups, memberships) = match self {
            Tenant::Graph1k => (1_000, 50, 10_000),
            Tenant::Graph10k => (10_000, 200, 100_000),
            Tenant::Graph100k => (100_000, 2_000, 1_000_000),
            Tenant::Graph1m => (1_000_000, 10_000, 5_000_000),
            Tenant::Okta1k => (1_000, 50, 5_000),
            Tenant::Okta10k => (10_000, 500, 50_000),
        };
        Size {
            users,
            groups,
            memberships,
        }
    }

    fn title(self) -> String {
        let Size {
            users,
            groups,
            memberships,
        } = self.size();
        let vendor = match self.vendor() {
            Vendor::Graph => "Entra ID",
            Vendor::Okta => "Okta",
        };
        let [users, groups, memberships] = [users, groups, memberships].map(thousands);
        format!("{vendor}: {users} users, {groups} groups, {memberships} memberships")
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub async fn run(run: Run) -> anyhow::Result<()> {
    let mut tenants = run.tenant.clone();
    if tenants.is_empty() {
        tenants = vec![Tenant::Graph1k, Tenant::Graph10k, Tenant::Okta1k];
        if !run.small {
            tenants = vec![
                Tenant::Graph1k,
                Tenant::Graph10k,
                Tenant::Graph100k,
                Tenant::Okta10k,
            ];
        }
    }
    if run.big {
        tenants.push(Tenant::Graph1m);
    }
    for tenant in tenants {
        Bench::open(tenant, &run)?.measure().await?;
    }
    Ok(())
}

struct Bench<'a> {
    tenant: Tenant,
    run: &'a Run,
    bin: PathBuf,
    sim: Simulator,
    work: PathBuf,
    /// Removes what was kept while measuring.
    _temporary: Option<tempfile::TempDir>,
}

impl<'a> Bench<'a> {
    fn open(tenant: Tenant, run: &'a Run) -> anyhow::Result<Bench<'a>> {
        let bin = run.place.bin()?;
        let (work, temporary) = run.place.work()?;
        let sim = Simulator::start(&bin, tenant.vendor(), tenant.size())?;
        Ok(Bench {
            tenant,
            run,
            bin,
            sim,
            work,
            _temporary: temporary,
        })
    }

    async fn measure(&self) -> anyhow::Result<()> {
        println!("### {}\n", self.tenant.title());
        // A million is measured once.
        let runs = match self.tenant {
            Tenant::Graph1m => 1,
            _ => self.run.runs.max(1),
        };
        let latency = self.run.latency_ms;
        let mut rows = Vec::new();

        // The simulator makes its pages now, and keeps them.
        self.floor().await?;
        for ms in [0, latency] {
            self.sim.latency(ms).await?;
            let mut samples = Vec::new();
            for _ in 0..runs {
                samples.push(self.floor().await?);
            }
            rows.push(Row::of(format!("floor, {ms} ms"), &samples));
            let floor = rows.len() - 1;
            let mut samples = Vec::new();
            for _ in 0..runs {
                self.forget()?;
                samples.push(self.rosterd(&["sync"]).await?);
            }
            rows.push(Row::of(format!("first full, {ms} ms"), &samples).beside(floor));
        }
        let floor = [0, 2];
        let sizes = [self.state_bytes()?];
        self.sim.latency(0).await?;
        self.nothing_left()?;

        let mut quiet = Vec::new();
        for _ in 0..if runs == 1 { 1 } else { QUIET_RUNS } {
            quiet.push(self.rosterd(&["sync", "--full"]).await?);
        }
        rows.push(Row::of("unchanged full, 0 ms", &quiet).beside(floor[0]));
        let mut incremental = Vec::new();
        for _ in 0..runs {
            incremental.push(self.rosterd(&["sync"]).await?);
        }
        rows.push(Row::of("unchanged incremental, 0 ms", &incremental));
        let mut changed = Vec::new();
        for round in 0..runs {
            self.hundred_changes(round).await?;
            changed.push(self.rosterd(&["sync"]).await?);
        }
        rows.push(Row::of("100 changes, 0 ms", &changed));
        self.nothing_left()?;
        // A run after a full one looks back two seconds at Okta. What changed is to be older.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;

        self.sim.latency(latency).await?;
        let full = self.rosterd(&["sync", "--full"]).await?;
        rows.push(Row::of(format!("unchanged full, {latency} ms"), &[full]).beside(floor[1]));
        let incremental = self.rosterd(&["sync"]).await?;
        rows.push(Row::of(
            format!("unchanged incremental, {latency} ms"),
            &[incremental],
        ));
        self.sim.latency(0).await?;

        print(&rows, self.tenant.vendor());
        let mib = |kib: u64| kib / 1_024;
        let peaks: Vec<String> = quiet
            .iter()
            .map(|sample| mib(sample.peak_kib).to_string())
            .collect();
        println!(
            "\nPeak memory of {} unchanged full runs, in MiB: {}. State on disk after the first \
             run {} MiB, at the end {} MiB.\n",
            quiet.len(),
            peaks.join(", "),
            sizes[0] >> 20,
            self.state_bytes()? >> 20,
        );
        if !self.run.keep {
            self.forget()?;
        }
        Ok(())
    }

    fn state(&self) -> PathBuf {
        self.work.join("state")
    }

    fn forget(&self) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(self.state()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn state_bytes(&self) -> anyhow::Result<u64> {
        fn bytes(place: &Path) -> std::io::Result<u64> {
            let mut sum = 0;
            for entry in std::fs::read_dir(place)? {
                let entry = entry?;
                let about = entry.metadata()?;
                sum += match about.is_dir() {
                    true => bytes(&entry.path())?,
                    false => about.len(),
                };
            }
            Ok(sum)
        }
        Ok(bytes(&self.state())?)
    }

    async fn floor(&self) -> anyhow::Result<Sample> {
        let mut command = Command::new(std::env::current_exe()?);
        match self.tenant.vendor() {
            Vendor::Graph => command
                .args(["floor", "graph", "--api", self.sim.address("graph")])
                .args(["--token", self.sim.address("token")]),
            Vendor::Okta => command.args(["floor", "okta", "--api", self.sim.address("okta_api")]),
        };
        self.sample(&mut command).await
    }

    async fn rosterd(&self, arguments: &[&str]) -> anyhow::Result<Sample> {
        self.sample(&mut self.command(arguments)).await
    }

    fn command(&self, arguments: &[&str]) -> Command {
        Rosterd {
            bin: &self.bin,
            settings: &self.run.place.settings,
            sources: &[self.tenant.vendor()],
            also: "leavers.toml",
            state: self.state(),
        }
        .command(&self.sim, arguments)
    }

    async fn sample(&self, command: &mut Command) -> anyhow::Result<Sample> {
        self.sim.call("DELETE", "/sim/stats", Value::Null).await?;
        command.stdout(Stdio::null());
        let used = child::run(command)?;
        ensure!(
            used.status.success(),
            "{command:?} ended with {}",
            used.status
        );
        let stats = self.sim.call("GET", "/sim/stats", Value::Null).await?;
        let count = |name: &str| stats[name].as_u64().unwrap_or(0);
        let sample = Sample {
            wall: used.wall,
            cpu: used.cpu,
            peak_kib: used.peak_kib,
            requests: count("requests"),
            units: count("resource_units"),
        };
        let classes = stats["classes"].as_object().into_iter().flatten();
        let classes: Vec<String> = classes
            .map(|(class, counts)| format!("{class} {}", counts["requests"]))
            .collect();
        eprintln!("{command:?}\n  {sample:?}\n  {}", classes.join(", "));
        Ok(sample)
    }

    /// A full plan that must find nothing to do: what was measured was also right.
    fn nothing_left(&self) -> anyhow::Result<()> {
        let mut command = self.command(&["plan", "--full", "--detailed-exitcode"]);
        let used = child::run(command.stdout(Stdio::null()))?;
        ensure!(
            used.status.success(),
            "a full plan after the runs finds something to do: {}",
            used.status
        );
        Ok(())
    }

    /// A hundred people changed: renamed, moved, disabled, hired, put into a group.
    async fn hundred_changes(&self, round: usize) -> anyhow::Result<()> {
        let vendor = self.tenant.vendor();
        let (users, groups, at) = match vendor {
            Vendor::Graph => (
                "/users?$top=999&$select=id",
                "/groups?$top=100&$select=id",
                "/sim/graph",
            ),
            Vendor::Okta => ("/users?limit=200", "/groups?limit=100", "/sim/okta"),
        };
        let ids = |list: Vec<Value>| -> Vec<String> {
            let id = |item: &Value| item["id"].as_str().map(str::to_owned);
            list.iter().filter_map(id).collect()
        };
        let users = ids(self.sim.list(vendor, users).await?);
        let groups = ids(self.sim.list(vendor, groups).await?);
        // The first people and groups are the awkward ones.
        let team = groups.last().context("a tenant has groups")?;
        let mut others = users.iter().skip(30).cycle().skip(95 * round);
        let mut next = || others.next().context("a tenant has users");
        let patch = |graph: Value, okta: Value| match vendor {
            Vendor::Graph => graph,
            Vendor::Okta => okta,
        };
        for number in 0..40 {
            let surname = format!("Renamed {round} {number}");
            let body = patch(
                json!({ "surname": surname, "displayName": surname }),
                json!({ "profile": { "lastName": surname, "displayName": surname } }),
            );
            let id = next()?;
            self.sim
                .call("PATCH", &format!("{at}/users/{id}"), body)
                .await?;
        }
        for _ in 0..30 {
            let department = format!("Moved {round}");
            let body = patch(
                json!({ "department": department }),
                json!({ "profile": { "department": department } }),
            );
            let id = next()?;
            self.sim
                .call("PATCH", &format!("{at}/users/{id}"), body)
                .await?;
        }
        for _ in 0..10 {
            let body = patch(
                json!({ "accountEnabled": false }),
                json!({ "status": "SUSPENDED" }),
            );
            let id = next()?;
            self.sim
                .call("PATCH", &format!("{at}/users/{id}"), body)
                .await?;
        }
        for _ in 0..15 {
            let id = next()?;
            let path = format!("{at}/groups/{team}/members/{id}");
            self.sim.call("POST", &path, Value::Null).await?;
        }
        for number in 0..5 {
            let mail = format!("hired.{round}.{number}@contoso.com");
            let body = patch(
                json!({
                    "userPrincipalName": mail, "mail": mail, "displayName": "Hired",
                    "givenName": "New", "surname": "Hire", "accountEnabled": true,
                }),
                json!({ "profile": {
                    "login": mail, "email": mail, "firstName": "New", "lastName": "Hire",
                } }),
            );
            self.sim.call("POST", &format!("{at}/users"), body).await?;
        }
        Ok(())
    }
}
