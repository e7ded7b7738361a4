//! The program that `tools/setup/instructions` runs under callgrind, and with which it judges the counts.
//!
//! ```text
//! instructions stages                          the stages, one a line
//! instructions run STAGE FRAMES [PLANTED FILE] frames through the stages; PLANTED gets 5 % more than FILE says
//! instructions check FILE RUSTC < COUNTS       against the baseline; exit code 1 if a stage is off
//! instructions update FILE RUSTC < COUNTS      stores a new baseline
//! ```
#![expect(clippy::print_stdout, reason = "a program for a script")]

use spinward_benches::instructions::{Baseline, STAGES, check, run};
use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["stages"] => {
            for stage in STAGES {
                println!("{}", stage.name);
            }
        }
        ["run", stage, frames] => println!("{} events", run(stage, frames.parse()?, None)?),
        ["run", stage, frames, planted, file] => {
            let turns = Baseline::read(Path::new(file))?.turns_of(planted, 5.0);
            let turns = turns.ok_or("the planted stage has no baseline")?;
            println!("{} events", run(stage, frames.parse()?, Some((planted, turns)))?);
        }
        ["check", file, rustc] => return judge(Path::new(file), rustc),
        ["update", file, rustc] => {
            let baseline = Baseline::from_counts(&counts()?, rustc)?;
            std::fs::write(file, baseline.to_toml())?;
            print!("{}", baseline.to_toml());
        }
        // `cargo bench` and `cargo test` start it without words.
        _ => println!("run by tools/setup/instructions"),
    }
    Ok(ExitCode::SUCCESS)
}

fn counts() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn judge(file: &Path, rustc: &str) -> Result<ExitCode, Box<dyn Error>> {
    let stored = Baseline::read(file)?;
    let found = Baseline::from_counts(&counts()?, rustc)?;
    if stored.rustc != found.rustc {
        println!("the baseline was counted with rustc {}, this is {}", stored.rustc, found.rustc);
    }
    println!("{:<12} {:>10} {:>10} {:>8}", "stage", "baseline", "now", "change");
    let mut is_good = true;
    for row in check(&stored, &found) {
        let before = row.stored.map_or("none".to_owned(), |count| format!("{count:.2}"));
        let mark = if row.is_good { "" } else { "  OFF" };
        println!("{:<12} {before:>10} {:>10.2} {:>+7.2}%{mark}", row.stage, row.found, row.percent);
        is_good &= row.is_good;
    }
    if !is_good {
        println!(
            "instructions off by more than {} %: mend the regression, or store what is meant to be with `tools/setup/instructions --update`",
            stored.tolerance_percent
        );
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
