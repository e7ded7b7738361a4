//! `spinward control`.

use super::ControlArgs;
use super::output::line;
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use serde_json::json;
use spinward_gateways::operator::{self, SendError};
use std::process::ExitCode;

pub(crate) fn run(args: &ControlArgs) -> Outcome {
    let (is_good, answer) = match operator::send(&args.socket, &args.words.join(" ")) {
        Ok(answer) => (true, answer),
        Err(SendError::Refused(answer)) => (false, answer),
        Err(error @ (SendError::Connect { .. } | SendError::Talk { .. } | SendError::BadLine)) => {
            return Err(Failure::usage(error));
        }
    };
    if args.json {
        line(json!({ "ok": is_good, "answer": answer }));
    } else {
        line(&answer);
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}
