//! The `linjian` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    linjian::cli::main()
}
