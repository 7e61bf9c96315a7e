//! Variables that depend on the request: what `SetEnvIf` and `RewriteRule` set.

/// Each name once, in the order first set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets one.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Removes one.
    pub fn unset(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// All of them.
    pub fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }

    /// With those of `SetEnv`, which do not replace what rules set: not as conditions and logs see it, in httpd.
    pub fn with(&self, static_ones: &[(String, String)]) -> Self {
        let mut all = self.clone();
        for (name, value) in static_ones {
            if all.get(name).is_none() {
                all.0.push((name.clone(), value.clone()));
            }
        }
        all
    }
}
