//! The nearest known name to a misspelt one.

use super::{all, known, sections};

pub(super) fn directive(name: &str) -> Option<&'static str> {
    nearest(name, all().map(|entry| entry.name).chain(known::names()))
}

pub(super) fn section(name: &str) -> Option<&'static str> {
    nearest(name, sections::ENTRIES.iter().map(|entry| entry.name))
}

fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let allowed = (name.chars().count() / 4).clamp(1, 3);
    let measured = known.map(|candidate| (distance(name, candidate, allowed), candidate));
    let best = measured.min_by_key(|(distance, _)| *distance)?;
    (best.0 <= allowed).then_some(best.1)
}

/// How many letters to change, insert, drop or swap, letter case aside. Anything above `allowed` is only "more".
fn distance(left: &str, right: &str, allowed: usize) -> usize {
    let left: Vec<char> = left.chars().map(|c| c.to_ascii_lowercase()).collect();
    let right: Vec<char> = right.chars().map(|c| c.to_ascii_lowercase()).collect();
    if left.len().abs_diff(right.len()) > allowed {
        return allowed + 1;
    }
    let mut rows: [Vec<usize>; 3] = [vec![], vec![], (0..=right.len()).collect()];
    for (i, l) in left.iter().enumerate() {
        rows.rotate_left(1);
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let changed = rows[1][j] + usize::from(l != r);
            let mut cost = changed.min(rows[1][j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r;
            if swapped {
                cost = cost.min(rows[0][j - 1] + 1);
            }
            row.push(cost);
        }
        rows[2] = row;
    }
    rows[2][right.len()]
}

#[cfg(test)]
mod tests {
    use super::directive;

    #[test]
    fn a_misspelt_name_finds_the_right_one() {
        for (wrong, right) in [
            ("ServrName", Some("ServerName")),
            ("DocumentRot", Some("DocumentRoot")),
            ("Lsiten", Some("Listen")),
            ("PythonHandlr", Some("PythonHandler")),
            ("Frobnicate", None),
        ] {
            assert_eq!(directive(wrong), right, "{wrong}");
        }
    }
}
