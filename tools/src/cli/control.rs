//! `spinward control`.

use super::ControlArgs;
use super::output::line;
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use serde_json::json;
use spinward_gateways::operator;
use std::process::ExitCode;

pub(crate) fn run(args: &ControlArgs) -> Outcome {
    let answer = operator::send(&args.socket, &args.words.join(" ")).map_err(Failure::usage)?;
    let is_good = answer.starts_with("ok");
    if args.json {
        line(json!({ "ok": is_good, "answer": answer }));
    } else {
        line(&answer);
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}
