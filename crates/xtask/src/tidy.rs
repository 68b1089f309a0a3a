//! All checks, and the test that runs them. A check takes the tree and gives problems, each `path:line: what, what to do`.

mod edges;
mod links;
mod product;
mod proto;
mod shape;
mod source;

pub(crate) use shape::AIM_LINES;

use crate::tree::Tree;

/// Everything that is wrong, in the order of the checks.
pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    [edges::check, product::check, shape::check, source::check, proto::check, links::check]
        .iter()
        .flat_map(|check| check(tree))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let problems = problems(&Tree::of_repository().expect("the repository"));
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    }
}
