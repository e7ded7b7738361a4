//! The `spinward` binary.

fn main() -> std::process::ExitCode {
    spinward::App::new().main()
}
