//! Any text is a path or is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterd_fuzz::scim::path::Path;

fuzz_target!(|text: &str| {
    let _ = Path::parse(text);
});
