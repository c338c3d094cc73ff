//! A PostgreSQL to measure with: a cluster in a directory of its own, on a socket. It ends with
//! this value. Nothing of it is tuned but where it listens, and that it may sort and log a load.

#[path = "../../tests/outside/cluster/programs.rs"]
mod programs;

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use programs::{as_server, programs, server_user};

pub struct Cluster {
    bin: PathBuf,
    home: PathBuf,
    server: Child,
}

impl Cluster {
    pub fn start(work: &Path) -> anyhow::Result<Cluster> {
        let bin =
            programs().context("PostgreSQL is needed: tests/setup-postgres.sh installs it")?;
        let home = work.join("postgres");
        std::fs::create_dir_all(&home)?;
        if let Some((uid, gid)) = server_user() {
            chown(&home, Some(uid), Some(gid))?;
            // The way there has to be open to it too.
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(work, std::fs::Permissions::from_mode(0o755))?;
        }
        let data = home.join("data");
        if !data.exists() {
            let made = as_server(&bin.join("initdb"))
                .arg("-D")
                .arg(&data)
                .args(["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust"])
                .output()?;
            ensure!(
                made.status.success(),
                "initdb: {}",
                String::from_utf8_lossy(&made.stderr)
            );
        }
        let server = as_server(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&home)
            .args(["-c", "listen_addresses=", "-c", "max_wal_size=4GB"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("postgres cannot be started")?;
        let cluster = Cluster { bin, home, server };
        let until = Instant::now() + Duration::from_secs(60);
        while cluster.psql("select 1").is_err() {
            ensure!(Instant::now() < until, "the cluster does not come up");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(cluster)
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn url(&self) -> String {
        format!(
            "postgresql://postgres@/postgres?host={}",
            self.home.display()
        )
    }

    /// What one statement gives.
    pub fn psql(&self, sql: &str) -> anyhow::Result<String> {
        self.commands(&[sql.to_owned()])
    }

    /// What several commands give, one after the other in one session.
    pub fn commands(&self, commands: &[String]) -> anyhow::Result<String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .arg(self.url());
        for command in commands {
            psql.arg("-c").arg(command);
        }
        let output = psql.output().context("psql cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "psql: {}", said.trim());
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGQUIT: at once, and every process of it.
        let pid = self.server.id().to_string();
        Command::new("kill").args(["-QUIT", &pid]).status().ok();
        self.server.wait().ok();
    }
}
