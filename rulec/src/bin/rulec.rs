//! The rule language's tools as a program of their own.

use std::process::ExitCode;

fn main() -> ExitCode {
    let host = rulec::command::Host { program: "rulec", catalog: None, bucket: None };
    rulec::command::run(host, std::env::args_os())
}
