//! What a check says.

use serde::Serialize;
use std::fmt;

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// The host is not fit to trade: `run --require-tuned` refuses.
    Critical,
    /// The tail of the latency suffers.
    Warning,
    /// A decision to be made knowingly.
    Info,
}

impl Severity {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Good,
    Failed,
    /// The host does not tell; the mend says how to make it tell.
    Unknown,
    NotApplicable,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Failed => "FAILED",
            State::Unknown => "unknown",
            State::NotApplicable => "n/a",
        }
    }
}

/// How a failed check is mended, or an unknown one made known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mend {
    /// A command for a root shell; it holds until the next boot.
    Command(String),
    /// A command for a root shell; it holds over boots.
    Once(String),
    /// Kernel settings, `vm.stat_interval` = `120`, kept over boots.
    Sysctl(Vec<(&'static str, String)>),
    /// Parameters of the kernel's command line; they need a boot.
    Boot(String),
    /// Keys of the configuration.
    Config(String),
    /// What no command can do, or what a person must decide.
    Advice(String),
}

impl Mend {
    pub(crate) fn sysctl(key: &'static str, value: impl Into<String>) -> Self {
        Mend::Sysctl(vec![(key, value.into())])
    }

    pub(crate) fn command(text: impl Into<String>) -> Self {
        Mend::Command(text.into())
    }

    pub(crate) fn once(text: impl Into<String>) -> Self {
        Mend::Once(text.into())
    }

    pub(crate) fn advice(text: impl Into<String>) -> Self {
        Mend::Advice(text.into())
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mend::Command(text) | Mend::Once(text) | Mend::Advice(text) => f.write_str(text),
            Mend::Sysctl(settings) => {
                for (index, (key, value)) in settings.iter().enumerate() {
                    let and = if index == 0 { "" } else { " && " };
                    write!(f, "{and}sysctl -w {key}={value}")?;
                }
                Ok(())
            }
            Mend::Boot(parameters) => {
                write!(
                    f,
                    "kernel parameter {parameters} (GRUB_CMDLINE_LINUX in /etc/default/grub), then boot"
                )
            }
            Mend::Config(keys) => write!(f, "in the configuration: {keys}"),
        }
    }
}

/// What the code of a check finds.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) state: State,
    pub(crate) found: String,
    pub(crate) wanted: String,
    pub(crate) mend: Option<Mend>,
}

impl Verdict {
    pub(crate) fn good(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { state: State::Good, found: found.into(), wanted: wanted.into(), mend: None }
    }

    pub(crate) fn failed(found: impl Into<String>, wanted: impl Into<String>, mend: Mend) -> Self {
        Self { state: State::Failed, found: found.into(), wanted: wanted.into(), mend: Some(mend) }
    }

    pub(crate) fn unknown(found: impl Into<String>, wanted: impl Into<String>, mend: Mend) -> Self {
        Self { state: State::Unknown, found: found.into(), wanted: wanted.into(), mend: Some(mend) }
    }

    pub(crate) fn not_applicable(why: impl Into<String>) -> Self {
        Self { state: State::NotApplicable, found: why.into(), wanted: String::new(), mend: None }
    }

    /// As the finding of a check.
    pub(crate) fn of(
        self,
        id: &'static str,
        severity: Severity,
        what: &'static str,
        why: &'static str,
        sources: Vec<String>,
    ) -> Finding {
        let Self { state, found, wanted, mend } = self;
        Finding { id, severity, state, what, why, found, wanted, mend, sources }
    }

    /// Good or failed; the mend is made only for a failed one.
    pub(crate) fn judge(
        is_good: bool,
        found: impl Into<String>,
        wanted: impl Into<String>,
        mend: impl FnOnce() -> Mend,
    ) -> Self {
        if is_good { Self::good(found, wanted) } else { Self::failed(found, wanted, mend()) }
    }
}

/// One check and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// Its name, `group.subject`.
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) state: State,
    /// What is checked.
    pub(crate) what: &'static str,
    /// Why it matters.
    pub(crate) why: &'static str,
    pub(crate) found: String,
    pub(crate) wanted: String,
    /// The command, key or step that mends it; empty if there is nothing to mend.
    #[serde(serialize_with = "text")]
    pub(crate) mend: Option<Mend>,
    /// Files that were read (`*` for any number) and commands that were asked (`$ …`); what was looked for in vain if nothing answered;
    /// the configuration if nothing was asked.
    pub(crate) sources: Vec<String>,
}

impl Finding {
    /// Whether it makes the host unfit.
    pub(crate) fn is_critical_failure(&self) -> bool {
        self.state == State::Failed && self.severity == Severity::Critical
    }
}

fn text<S: serde::Serializer>(mend: &Option<Mend>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&mend.as_ref().map(ToString::to_string).unwrap_or_default())
}
