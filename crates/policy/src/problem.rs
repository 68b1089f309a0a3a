//! What is wrong with a policy pack: every problem with its file, its line where there is one, and what to do.
//! Owns the shape and the printing; refuses to stop at the first.

use std::fmt;

/// One problem in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The pack's name: the file's stem.
    pub file: String,
    /// Line in the file, from 1; unset where the problem is what the file lacks.
    pub line: Option<usize>,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.toml", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.text)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n  hint: {}", self.hint) }
    }
}

/// A pack that was refused, with every problem found. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Refused {
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Notes a problem at a byte offset of the file.
    pub(crate) fn at(&mut self, offset: usize, text: impl Into<String>, hint: impl Into<String>) {
        let line = Some(self.line(offset));
        self.found.push(Problem { file: self.file.to_owned(), line, text: text.into(), hint: hint.into() });
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
    }

    /// Notes a problem that has no place.
    pub(crate) fn whole(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Problem { file: self.file.to_owned(), line: None, text: text.into(), hint: hint.into() });
    }

    /// Whether nothing was noted yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes over what was found in an included file.
    pub(crate) fn include(&mut self, problems: Vec<Problem>) {
        self.found.extend(problems);
    }

    /// What was found: this file's by line, then included files'.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        let file = self.file;
        self.found.sort_by_key(|problem| if problem.file == file { (false, problem.line) } else { (true, None) });
        self.found
    }
}
