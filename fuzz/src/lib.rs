//! The two rooms of rosterd that read what SCIM clients send, built by themselves: the whole
//! program takes half an hour to build with the fuzzer's instruments in it.

#[path = "../../src/directory/mod.rs"]
pub mod directory;
#[path = "../../src/scim/mod.rs"]
pub mod scim;
