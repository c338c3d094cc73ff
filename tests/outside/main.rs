//! rosterd from outside: the built binary against pretend tenants.
//!
//! Nothing here looks inside: commands are typed, exports are read, exit codes are counted. What
//! is right is decided by `oracle`, which knows the design and not the code.

mod chance;
mod cluster;
mod oracle;
mod receiver;
mod served;
mod service;
mod settings;
mod world;

mod audit;
mod commands;
mod control;
mod daemon;
mod drift;
mod dry_run;
mod errors;
mod faults;
mod full_disk;
mod guard;
mod history;
mod hooks;
mod http;
mod kinds;
mod scim;
mod sign_in;
mod targets_applivery;
mod targets_events;
mod targets_peers;
mod targets_postgres;
mod targets_scim;
mod tell;
mod throttle;
mod traces;
