//! `tokens.yaml`: who may call the API, and for what.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use crate::{ConfigError, Problem, load};

/// The tokens of one signer's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokensFile {
    pub tokens: Vec<TokenEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenEntry {
    /// Whose it is, for logs.
    pub name: String,
    pub token: Token,
    pub roles: Vec<Role>,
}

/// A bearer token. Its text is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// May send events.
    Submit,
    /// May read events and the group.
    Read,
    /// May do everything.
    Admin,
}

impl TokensFile {
    /// Shortest token, in bytes: less can be guessed.
    pub const LEAST_TOKEN_BYTES: usize = 16;

    /// Reads and checks the file. Errors never hold a token.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        Self::parse(path, &load::bytes(path)?)
    }

    /// Checks what was read from the file; the path is for errors, which never hold a token.
    pub fn parse(path: &Path, content: &[u8]) -> Result<Self, ConfigError> {
        let file: Self = serde_yaml::from_slice(content).map_err(|error| unreadable(path, &error))?;
        for (at, entry) in file.tokens.iter().enumerate() {
            let fail = |key: &str, what: &str| Problem::at(path, format!("tokens.{at}.{key}"), what);
            if entry.token.0.len() < Self::LEAST_TOKEN_BYTES {
                return Err(fail("token", "a token has at least 16 characters").into());
            }
            if entry.roles.is_empty() {
                return Err(fail("roles", "at least one is needed: submit, read or admin").into());
            }
            if file.tokens[..at].iter().any(|other| other.name == entry.name || other.token == entry.token) {
                return Err(fail("name", "another entry has the same name or token").into());
            }
        }
        Ok(file)
    }
}

/// The place only: the reader's own words quote the text, and any part of it may be a token.
fn unreadable(path: &Path, error: &serde_yaml::Error) -> Problem {
    let place = error.location().map(|at| (at.line(), at.column()));
    let what = "not a list \"tokens\" of entries with a name, a token and roles (submit, read or admin)";
    Problem { place, ..Problem::at(path, "", what) }
}

impl Token {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For a comparison in constant time, and for nothing else.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a-token-that-nobody-may-see";

    fn refusal(text: &str) -> String {
        let error = TokensFile::parse(Path::new("tokens.yaml"), text.as_bytes()).unwrap_err();
        format!("{error} {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn no_refusal_shows_a_token_wherever_it_stands() {
        for text in [
            "TOKEN",
            "tokens: TOKEN",
            "tokens: [TOKEN]",
            "TOKEN: [submit]",
            "tokens: [{name: a, TOKEN: x}]",
            "tokens: [{name: a, token: x, roles: [TOKEN]}]",
            "tokens: [{name: a, token: x, roles: TOKEN}]",
            "tokens: [{name: a, token: [TOKEN], roles: [read]}]",
            "tokens: [{name: a, token: *TOKEN, roles: [read]}]",
            "tokens: [{name: a, token: !TOKEN x, roles: [read]}]",
            "tokens: [{name: a, token: TOKEN, token: TOKEN, roles: [read]}]",
            "tokens: [{name: TOKEN, token: TOKEN, roles: []}]",
            "tokens: [{name: TOKEN, token: TOKEN, roles: [read]}, {name: TOKEN, token: TOKEN, roles: [read]}]",
            "TOKEN: a: b",
            "tokens: \"TOKEN",
        ] {
            let told = refusal(&text.replace("TOKEN", SECRET));
            assert!(!told.contains(SECRET), "{text}: {told}");
            assert!(told.starts_with("tokens.yaml"), "{told}");
        }
    }

    #[test]
    fn a_refusal_names_the_place() {
        let told = refusal("tokens:\n  - name: a\n    token: 0123456789abcdef\n    roles: [root]\n");
        assert!(told.starts_with("tokens.yaml, line 4 column "), "{told}");
    }
}
