//! Why a file is refused: which file, where in it, which key, and what is wrong there.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Why a file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("could not read {}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Invalid(Box<Problem>),
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    pub file: PathBuf,
    /// Line and column, counted from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// The variable of the environment that said it, where it was not the file.
    pub variable: Option<String>,
    /// Dotted, such as `members.0.publicKey`; empty for the file as a whole.
    pub key: String,
    pub what: String,
}

impl Problem {
    pub(crate) fn at(file: &Path, key: impl Into<String>, what: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), place: None, variable: None, key: key.into(), what: what.to_string() }
    }

    /// From YAML's own reader: `volumes[0]: unknown field …, expected … at line 3 column 5`.
    pub(crate) fn from_yaml(file: &Path, error: &serde_yaml::Error) -> Self {
        let place = error.location().map(|at| (at.line(), at.column()));
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        let (path, what) = match text.split_once(": ") {
            Some((path, what)) if !path.contains(' ') => (path.replace('[', ".").replace(']', ""), what),
            Some(_) | None => (String::new(), text),
        };
        Self { place, ..Self::at(file, join(&path, field_in(what)), what) }
    }
}

/// The field that an "unknown" or "missing field" message is about: it stands in the first pair of backticks.
fn field_in(what: &str) -> Option<&str> {
    let about_a_field = what.starts_with("unknown field") || what.starts_with("missing field");
    about_a_field.then(|| what.split('`').nth(1)).flatten()
}

pub(crate) fn join(path: &str, field: Option<&str>) -> String {
    match field {
        Some(field) if path.is_empty() => field.to_owned(),
        Some(field) => format!("{path}.{field}"),
        None => path.to_owned(),
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::Invalid(Box::new(problem))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(f, "environment variable {variable} (over {})", self.file.display())?,
            None => write!(f, "{}", self.file.display())?,
        }
        if let Some((line, column)) = self.place {
            write!(f, ", line {line} column {column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ", key {}", self.key)?;
        }
        write!(f, ": {}", self.what)
    }
}
