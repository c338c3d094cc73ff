//! Starts the runtime, calls the command line, prints the error chain, exits with its code.

use std::process::ExitCode;

/// A first run of a large company makes and drops a great many small strings; this allocator is
/// quicker at that than the system's, and gives memory back when idle.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(cause) => {
            eprintln!("rosterd: the runtime does not start: {cause}");
            return ExitCode::from(1);
        }
    };
    let code = runtime.block_on(rosterd::cli::run());
    // A blocking thread that is still at work must not keep a finished command waiting.
    runtime.shutdown_background();
    code
}
