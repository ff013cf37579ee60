//! Says which secrets stand in the files named, never the secrets themselves: `secrets_in FILE...`.
//!
//! Shows the use of `safety::secrets_in_file`; `benches/compare --only secrets` measures it.

use std::fs::File;
use std::process::ExitCode;

use handover::safety::secrets_in_file;

fn main() -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    for path in std::env::args_os().skip(1) {
        match File::open(&path).and_then(secrets_in_file) {
            Ok(found) => {
                for one in &found.named {
                    println!("{}:{}: {}, {} bytes", path.display(), one.line, one.rule, one.length);
                }
                println!("{}: {} secrets", path.display(), found.count);
            }
            Err(error) => {
                eprintln!("cannot read {}: {error}", path.display());
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}
