//! Starts the runtime, calls the command line, prints the error chain, exits with its code.

use std::process::ExitCode;

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
