//! A PostgreSQL of one test: a cluster in a temporary directory, on a socket and a free port.

mod programs;

use std::future::poll_fn;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::service::eventually;
use programs::{as_server, programs, server_user};

/// The role that rosterd signs in as, and what it has for a password.
const ROLE: &str = "rosterd";
pub const PASSWORD: &str = "sim-database-password";

/// What a listener was told, in the order it came.
pub type Notices = UnboundedReceiver<String>;

pub struct Cluster {
    home: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
    server: Child,
    runtime: tokio::runtime::Runtime,
}

impl Cluster {
    /// Makes a cluster with a database `app`, and starts it.
    pub fn start() -> Cluster {
        Cluster::start_with("")
    }

    /// The same with further lines of `postgresql.conf`. `HOME` stands for its directory.
    pub fn start_with(lines: &str) -> Cluster {
        let bin = programs().expect("PostgreSQL is needed: tests/setup-postgres.sh installs it");
        let home = tempfile::tempdir().expect("a temporary directory");
        belongs_to_server(home.path());
        let made = as_server(&bin.join("initdb"))
            .arg("-D")
            .arg(home.path().join("data"))
            .args([
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
                "-A",
                "trust",
            ])
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{made:?}");
        let port = free_port();
        let lines = lines.replace("HOME", &home.path().to_string_lossy());
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n\
             fsync = off\nshared_buffers = '16MB'\nmax_connections = 20\n{lines}\n",
            home.path().display()
        );
        let file = home.path().join("data/postgresql.auto.conf");
        std::fs::write(file, settings).expect("the settings can be written");
        let server = serve(&bin, home.path());
        let cluster = Cluster {
            home,
            bin,
            port,
            server,
            runtime: tokio::runtime::Runtime::new().expect("a runtime"),
        };
        cluster.waits_until_up();
        let first = cluster.connect("postgres", "postgres");
        for sql in [
            format!("create role {ROLE} login password '{PASSWORD}'"),
            format!("create database app owner {ROLE}"),
            "create role app_reader login".to_owned(),
        ] {
            cluster
                .block_on(first.batch_execute(&sql))
                .expect("it can be made");
        }
        cluster
    }

    /// The connection string for rosterd, over the socket.
    pub fn url(&self) -> String {
        let socket = self.home.path().display();
        format!(
            "postgresql://{ROLE}:{PASSWORD}@/app?host={socket}&port={}",
            self.port
        )
    }

    /// The same over TCP, to a name.
    pub fn tcp_url(&self, host: &str) -> String {
        format!("postgresql://{ROLE}:{PASSWORD}@{host}:{}/app", self.port)
    }

    fn connect(&self, user: &str, database: &str) -> Client {
        let socket = self.home.path().display();
        let string = format!(
            "host={socket} port={} user={user} dbname={database}",
            self.port
        );
        self.block_on(async {
            let (client, connection) = tokio_postgres::connect(&string, NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        })
        .expect("a connection")
    }

    /// A connection to the database, with rosterd's tables in sight.
    pub fn client(&self, user: &str) -> Client {
        let client = self.connect(user, "app");
        self.run(&client, "set search_path to rosterd");
        client
    }

    /// A connection that listens to a channel, and the notices it gets.
    pub fn listen(&self, user: &str, channel: &str) -> (Client, Notices) {
        let socket = self.home.path().display();
        let string = format!("host={socket} port={} user={user} dbname=app", self.port);
        let listen = format!("listen {channel}");
        self.block_on(async {
            let (client, mut connection) = tokio_postgres::connect(&string, NoTls).await?;
            let (take, taken) = tokio::sync::mpsc::unbounded_channel();
            tokio::spawn(async move {
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    if let AsyncMessage::Notification(notice) = message
                        && take.send(notice.payload().to_owned()).is_err()
                    {
                        return;
                    }
                }
            });
            client.batch_execute(&listen).await?;
            Ok::<_, tokio_postgres::Error>((client, taken))
        })
        .expect("a connection that listens")
    }

    /// The newest number that was told; waits for one.
    pub fn newest(&self, notices: &mut Notices) -> i64 {
        let mut newest = self.block_on(async {
            tokio::time::timeout(crate::served::PATIENCE, notices.recv()).await
        });
        let mut told = 0;
        while let Ok(Some(payload)) = newest {
            let number: i64 = payload.parse().expect("a number and nothing else");
            assert!(number > told, "numbers go up");
            told = number;
            newest = Ok(notices.try_recv().ok());
        }
        assert!(told > 0, "a notice comes");
        told
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    #[track_caller]
    pub fn run(&self, client: &Client, sql: &str) {
        if let Err(error) = self.block_on(client.batch_execute(sql)) {
            panic!("{sql}: {error:?}");
        }
    }

    /// The rows of a query, each as one text, in the order of the query.
    #[track_caller]
    pub fn texts(&self, client: &Client, sql: &str) -> Vec<String> {
        let rows = self
            .block_on(client.query(&format!("select row_to_json(r)::text from ({sql}) r"), &[]));
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The one number that a query gives.
    #[track_caller]
    pub fn number(&self, client: &Client, sql: &str) -> i64 {
        let row = self.block_on(client.query_one(&format!("select ({sql})::bigint"), &[]));
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    /// Ends every process of the server at once, as a failing machine would.
    pub fn crash(&mut self) {
        self.signal("QUIT");
        self.server.wait().expect("it can be waited for");
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.server = serve(&self.bin, self.home.path());
        self.waits_until_up();
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.server.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    fn waits_until_up(&self) {
        let socket = self.home.path().to_string_lossy().into_owned();
        let port = self.port.to_string();
        let log = self.home.path().join("log");
        eventually(
            || {
                let ready = Command::new(self.bin.join("pg_isready"))
                    .args(["-q", "-h", &socket, "-p", &port])
                    .status();
                ready.expect("pg_isready runs").success()
            },
            || std::fs::read_to_string(&log).unwrap_or_default(),
        );
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.server.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("QUIT");
            self.server.wait().ok();
        }
    }
}

fn serve(bin: &Path, home: &Path) -> Child {
    let log = home.join("log");
    let log = std::fs::File::create(log).expect("a log");
    as_server(&bin.join("postgres"))
        .arg("-D")
        .arg(home.join("data"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres starts")
}

pub fn belongs_to_server(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        chown(path, Some(uid), Some(gid)).expect("root may give files away");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("an address").port()
}
