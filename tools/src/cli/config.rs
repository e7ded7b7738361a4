//! `spinward config`.

use super::output::line;
use super::{ConfigArgs, ConfigCommand};
use crate::failure::{BAD_USAGE, Failure, Outcome};
use crate::host;
use crate::session::parts;
use crate::session::registry::Registry;
use anyhow::Context;
use serde_json::json;
use spinward_config::{ConfigError, DEFAULT_TOML, Loaded};
use std::io::Write;
use std::process::ExitCode;

pub(crate) fn run(registry: &Registry, command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Check(args) => check(registry, args),
        ConfigCommand::Show(args) => show(args),
        ConfigCommand::Init { file, json } => init(file.as_deref(), *json),
    }
}

fn load(args: &ConfigArgs) -> Result<Loaded, ConfigError> {
    match &args.file {
        Some(path) => spinward_config::load(path),
        None => Ok(spinward_config::builtin()),
    }
}

fn check(registry: &Registry, args: &ConfigArgs) -> Outcome {
    let checked = load(args).and_then(|loaded| {
        parts::check(&loaded.settings, registry, &host::cores())?;
        Ok(loaded)
    });
    let (problems, warnings, fingerprint) = match checked {
        Ok(loaded) => (Vec::new(), loaded.warnings, Some(loaded.settings.fingerprint())),
        Err(error) => (error.problems, Vec::new(), None),
    };
    if args.json {
        let text = |problems: &[spinward_config::Problem]| -> Vec<serde_json::Value> {
            problems
                .iter()
                .map(|problem| {
                    json!({
                        "place": problem.place.to_string(),
                        "line": problem.line(),
                        "key": problem.key,
                        "what": problem.what,
                        "mend": problem.mend,
                    })
                })
                .collect()
        };
        let report = json!({
            "ok": problems.is_empty(),
            "fingerprint": fingerprint,
            "problems": text(&problems),
            "warnings": text(&warnings),
        });
        line(serde_json::to_string_pretty(&report)?);
    } else {
        for warning in &warnings {
            line(format!("warning: {warning}"));
        }
        for problem in &problems {
            line(problem);
        }
        if let Some(fingerprint) = fingerprint {
            line(format!("good, fingerprint {fingerprint}"));
        }
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(BAD_USAGE) })
}

fn show(args: &ConfigArgs) -> Outcome {
    let loaded = load(args).map_err(Failure::usage)?;
    if args.json {
        line(serde_json::to_string_pretty(&loaded.settings)?);
    } else {
        line(loaded.settings.to_toml().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn init(file: Option<&std::path::Path>, json: bool) -> Outcome {
    match file {
        Some(path) => {
            let mut written = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path)
                .with_context(|| format!("cannot make {}: an existing file is not touched", path.display()))
                .map_err(Failure::Usage)?;
            written
                .write_all(DEFAULT_TOML.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            if json {
                line(json!({ "written": path.display().to_string() }));
            } else {
                line(format!("written: {}", path.display()));
            }
        }
        None if json => line(json!({ "toml": DEFAULT_TOML })),
        None => line(DEFAULT_TOML.trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}
