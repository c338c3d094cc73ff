//! rosterd from outside: the built binary against pretend tenants.
//!
//! Nothing here looks inside: commands are typed, exports are read, exit codes are counted. What
//! is right is decided by `oracle`, which knows the design and not the code.

mod oracle;
mod settings;
mod world;

mod kinds;
