//! Which Django goes with which Python, and the virtualenvs the end-to-end tests run in.

use crate::python::{self, Python, Version};
use crate::shell;
use anyhow::Result;
use std::path::PathBuf;

/// A Django series with the Pythons its release notes name.
struct Series {
    name: &'static str,
    requirement: &'static str,
    oldest: Version,
    newest: Version,
}

const SERIES: [Series; 3] = [
    Series {
        name: "4.2",
        requirement: "Django>=4.2,<4.3",
        oldest: Version(3, 8),
        newest: Version(3, 12),
    },
    Series {
        name: "5.2",
        requirement: "Django>=5.2,<5.3",
        oldest: Version(3, 10),
        newest: Version(3, 14),
    },
    Series {
        name: "6",
        requirement: "Django>=6.0,<7",
        oldest: Version(3, 12),
        newest: Version(3, 14),
    },
];

/// What `tests/` needs to run itself: pytest and an HTTP client. The applications do not see these.
const RUNNER: [&str; 4] = [
    "pytest>=8,<10",
    "httpx>=0.27,<1",
    "h2>=4,<5",
    "trustme>=1,<2",
];

/// Where the virtualenvs are kept between runs; `tests/harness/venvs.py` looks here too.
pub(crate) fn folder() -> PathBuf {
    shell::target().join("venvs")
}

/// Makes the virtualenv pytest runs in and returns its Python.
pub(crate) fn runner(pythons: &[Python]) -> Result<PathBuf> {
    let newest = pythons.first().cloned().map_or_else(python::newest, Ok)?;
    let directory = folder().join("runner");
    python::virtualenv(&newest, &directory, &RUNNER)?;
    Ok(directory.join("bin/python"))
}

/// Makes one virtualenv for every pair of Django and Python that exists; says which Pythons stay out, and why.
pub(crate) fn applications(pythons: &[Python]) -> Result<Vec<String>> {
    let mut remarks = Vec::new();
    for python in pythons {
        let version = python.version;
        let fitting: Vec<&Series> = SERIES
            .iter()
            .filter(|it| it.oldest <= version && version <= it.newest)
            .collect();
        if fitting.is_empty() {
            remarks.push(format!(
                "Python {version}: no Django series of {} runs on it",
                names()
            ));
        }
        for series in fitting {
            let directory = folder().join(format!("django-{}-python-{version}", series.name));
            python::virtualenv(python, &directory, &[series.requirement])?;
        }
    }
    let minors = SERIES
        .iter()
        .flat_map(|series| series.oldest.1..=series.newest.1);
    let mut wanted: Vec<Version> = minors
        .map(|minor| Version(3, minor))
        .filter(|it| *it >= python::OLDEST)
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    for version in wanted
        .iter()
        .filter(|it| !pythons.iter().any(|python| python.version == **it))
    {
        remarks.push(format!("Python {version}: not on this machine"));
    }
    Ok(remarks)
}

fn names() -> String {
    SERIES.map(|series| series.name).join(", ")
}
